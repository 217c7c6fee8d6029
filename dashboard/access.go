package dashboard

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/extractq/extractq/internal/httpauth"
	"github.com/extractq/extractq/internal/serve"
)

// Key is an API key, as far as the dashboard needs it.
type Key struct {
	// Name identifies the key in logs.
	Name string
	// Digest is httpauth.Digest of its secret.
	Digest [sha256.Size]byte
	// Operator keys may change things.
	Operator bool
	// Limited keys are restricted to some accounts or one customer. They are refused: the
	// queues show the tasks of all customers.
	Limited bool
}

// ErrExposed is returned for a listener that other machines can reach while no key is
// required.
var ErrExposed = errors.New("without keys the dashboard is for this machine only")

// ErrOperatorExposed is returned for a listener that other machines can reach while every
// visitor may operate.
var ErrOperatorExposed = errors.New("a dashboard that lets everyone operate is for this machine only")

// visitor is the role of the client that makes a request.
type visitor int

const (
	// stranger: a key is required, and no valid one was sent.
	stranger visitor = iota
	// tenant: the key is restricted to some accounts or one customer.
	tenant
	// viewer may see everything.
	viewer
	// operator may also make changes.
	operator
)

type visitorKey struct{}

// visitorOf is the role that the access check found.
func visitorOf(r *http.Request) visitor {
	v, _ := r.Context().Value(visitorKey{}).(visitor)
	return v
}

// access decides which requests are admitted.
type access struct {
	keys     []Key
	noAuth   bool
	everyone visitor // The role of admitted visitors without an operator key.
	crossing *http.CrossOriginProtection
}

func newAccess(cfg Config) *access {
	a := &access{keys: cfg.Keys, noAuth: cfg.NoAuth, everyone: viewer, crossing: http.NewCrossOriginProtection()}
	if cfg.NoAuth {
		a.keys = nil
	} else if cfg.Operator {
		a.everyone = operator
	}
	return a
}

// Admits reports whether such a dashboard may listen on addr.
func (c Config) Admits(addr net.Addr) error {
	switch {
	case serve.IsLoopback(addr.String()), c.NoAuth:
		return nil
	case c.Operator:
		return ErrOperatorExposed
	case len(c.Keys) == 0:
		return ErrExposed
	}
	return nil
}

// guarded admits a request, with its visitor's role, or answers why not.
func (d *Dashboard) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := d.access.Load()
		if !a.knowsHost(r.Host) {
			d.refusals.Note(r, serve.Foreign)
			http.Error(w, "this name is not one of the dashboard's: use its address or a private name", http.StatusMisdirectedRequest)
			return
		}
		if a.crossing.Check(r) != nil || crossReads(r) {
			d.refusals.Note(r, serve.Foreign)
			http.Error(w, "refused: the request comes from another site", http.StatusForbidden)
			return
		}
		name, who := a.identify(r)
		switch {
		case who == stranger:
			if r.Header.Get("Authorization") == "" {
				d.refusals.Note(r, serve.NoKey)
			} else {
				d.refusals.Note(r, serve.UnknownKey)
			}
			w.Header().Add("WWW-Authenticate", `Basic realm="extractq", charset="UTF-8"`)
			w.Header().Add("WWW-Authenticate", `Bearer realm="extractq"`)
			http.Error(w, "a key is needed: as the password, or as Authorization: Bearer KEY", http.StatusUnauthorized)
			return
		case who == tenant:
			d.refusals.Note(r, serve.LimitedKey)
			http.Error(w, "this key is for some accounts or one customer; the queues show all of them", http.StatusForbidden)
			return
		case changes(r) && who != operator:
			http.Error(w, "read-only: an operator key is needed, or --operator on this machine", http.StatusForbidden)
			return
		case changes(r):
			d.cfg.Logger.InfoContext(r.Context(), "operator changes the queues", slog.String("key", name),
				slog.String("method", r.Method), slog.String("path", r.URL.Path))
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, who)))
	})
}

// identify finds the role of a request's visitor, and the name of the key.
func (a *access) identify(r *http.Request) (key string, who visitor) {
	if len(a.keys) == 0 {
		return "", a.everyone
	}
	found := httpauth.Find(a.keys, func(k Key) [sha256.Size]byte { return k.Digest }, presented(r))
	switch {
	case found == nil:
		return "", stranger
	case found.Limited:
		return found.Name, tenant
	case found.Operator:
		return found.Name, operator
	}
	return found.Name, a.everyone
}

// presented is the key in a request: a bearer token, or the password that a browser asks
// for, with any user name.
func presented(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	if secret, ok := httpauth.Bearer(r); ok {
		return secret
	}
	return ""
}

// changes reports whether the request may change something.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead
}

// crossReads reports whether a page of another site reads the answer. Following a link is
// not reading: the other page does not see the answer.
func crossReads(r *http.Request) bool {
	return httpauth.OtherOrigin(r) || httpauth.OtherSite(r) && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// knowsHost reports whether the request names a host that is ours. A page whose name is
// made to resolve to this machine (DNS rebinding) is same-origin to the browser; only the
// host name shows it. If keys are required, any name will do, because the browser gives
// such a page none.
func (a *access) knowsHost(host string) bool {
	switch {
	case len(a.keys) > 0:
		return true
	case a.noAuth:
		return isPrivateName(serve.Hostname(host))
	}
	return serve.IsLoopback(host)
}

// isPrivateName reports whether the name cannot be registered publicly: an address, a
// single label, or a name in a private domain.
func isPrivateName(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	dot := strings.LastIndexByte(name, '.')
	return name != "" && (dot < 0 || slices.Contains([]string{"local", "internal", "localhost", "test"}, name[dot+1:]))
}
