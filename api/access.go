package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/extractq/extractq/internal/httpauth"
	"github.com/extractq/extractq/internal/serve"
	"github.com/extractq/extractq/store"
)

// Key is one producer's key.
type Key struct {
	// Name identifies the key in logs, and scopes its idempotency keys.
	Name string
	// Digest is httpauth.Digest of its secret: the secret itself is not kept.
	Digest [sha256.Size]byte
	// Accounts are those it may use; empty means all.
	Accounts []string
	// Customer is the one tenant it works for; empty means any.
	Customer string
	// Operator keys may pause and resume accounts.
	Operator bool
}

// ErrExposed is returned for a listener that other machines can reach while no key is
// required.
var ErrExposed = errors.New("without api.keys the API is for this machine only")

// Admits reports whether such an API may listen on addr.
func (c Config) Admits(addr net.Addr) error {
	if len(c.Keys) == 0 && !serve.IsLoopback(addr.String()) {
		return ErrExposed
	}
	return nil
}

type callerKey struct{}

// callerOf is the key that a request was made with.
func callerOf(ctx context.Context) Key {
	k, _ := ctx.Value(callerKey{}).(Key)
	return k
}

// allowed passes a request on, with its caller's key, or answers why not.
func (s *Server) allowed(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Content-Security-Policy", nothing)
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
			next.ServeHTTP(w, r)
			return
		}
		// A vendor has no key, and calls any name that this machine has outside: its secret
		// is in the URL. The matched route decides, not the path, which might be routed
		// elsewhere.
		if _, route := mux.Handler(r); route == hookRoute {
			answerIn(w, 0)
			next.ServeHTTP(w, r)
			return
		}
		answerIn(w, maxWait)
		caller, refused, p := s.identify(r)
		if p != nil {
			s.refusals.Note(r, refused)
			if p.Status == http.StatusUnauthorized && isReference(r) {
				w.Header().Set("WWW-Authenticate", basicChallenge)
			}
			writeProblem(w, p)
			return
		}
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			// The well-formed parts would be used and the rest ignored.
			writeProblem(w, problem(http.StatusUnprocessableEntity, codeInvalid, "the query is not well formed: write % ; & and = in names and values as %25 %3B %26 and %3D"))
			return
		}
		if p := repeated(r); p != nil {
			writeProblem(w, p)
			return
		}
		if p := encoded(r); p != nil {
			writeProblem(w, p)
			return
		}
		// The server inspects the body of its own request afterwards, and would treat the
		// rest of a body that it does not know as the next request: so the original request
		// keeps its body.
		own := r.WithContext(context.WithValue(r.Context(), callerKey{}, caller))
		own.Body = struct {
			io.Reader
			io.Closer
		}{bodyReader{r.Body}, r.Body}
		next.ServeHTTP(w, own)
	})
}

// nothing is the Content-Security-Policy of an answer that is not a page.
const nothing = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// repeated refuses a parameter that is given twice but taken once: only one of the values
// would count. A submission checks its fields itself.
func repeated(r *http.Request) *Problem {
	if r.Method == http.MethodPost && r.URL.Path == "/v1/extractions" {
		return nil
	}
	for name, values := range r.URL.Query() {
		if len(values) > 1 && name != "status" && name != "account" {
			return problem(http.StatusUnprocessableEntity, codeInvalid, "a parameter is given more than once; only status and account can be")
		}
	}
	return nil
}

// encoded refuses a body with a content encoding, which would be stored as the document.
func encoded(r *http.Request) *Problem {
	for _, encoding := range r.Header.Values("Content-Encoding") {
		if e := strings.ToLower(strings.TrimSpace(encoding)); e != "" && e != "identity" {
			return problem(http.StatusUnsupportedMediaType, codeUnsupported, "the body has a Content-Encoding; send its bytes as they are")
		}
	}
	if r.Header.Get("Content-Range") != "" {
		return problem(http.StatusUnsupportedMediaType, codeUnsupported, "the body is a part of something (Content-Range); send all of it")
	}
	return nil
}

// identify finds the key of a request. refused is the reason of a refusal, for the
// operator; the answer gives no help to guess a key.
func (s *Server) identify(r *http.Request) (k Key, refused string, p *Problem) {
	keys := *s.keys.Load()
	if len(keys) == 0 {
		// A page of another site must not use this machine's API, neither by its address
		// nor by a name that resolves to it (DNS rebinding).
		if !serve.IsLoopback(r.Host) || httpauth.OtherOrigin(r) || httpauth.OtherSite(r) {
			return Key{}, serve.Foreign, problem(http.StatusForbidden, codeForbidden, "without api.keys only this machine may use the API, by a loopback address and from no other site")
		}
		return Key{Operator: true}, "", nil
	}
	secret, ok := httpauth.Bearer(r)
	if _, password, basic := r.BasicAuth(); basic && isReference(r) {
		secret, ok = strings.TrimSpace(password), true
	}
	found := httpauth.Find(keys, func(k Key) [sha256.Size]byte { return k.Digest }, secret)
	if found == nil || !ok {
		refused = serve.UnknownKey
		if r.Header.Get("Authorization") == "" {
			refused = serve.NoKey
		}
		return Key{}, refused, problem(http.StatusUnauthorized, codeUnauthorized, "send a key as Authorization: Bearer KEY")
	}
	return *found, "", nil
}

// basicChallenge makes a browser ask for a key as the password. The dashboard uses the same
// realm, so that at one address the browser asks once.
const basicChallenge = `Basic realm="extractq", charset="UTF-8"`

// isReference reports whether a request is for the reference pages, which people open in a
// browser: a browser can send a key only as a password. It sends that automatically, so it
// is valid for nothing else, and no page of another site can use it.
func isReference(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	return r.URL.Path == "/docs" || strings.HasPrefix(r.URL.Path, "/docs/") || strings.HasPrefix(r.URL.Path, "/openapi")
}

// sees reports whether the key may see a record.
func (k Key) sees(r store.Record) bool {
	return k.uses(r.Account) && (k.Customer == "" || k.Customer == r.Customer)
}

func (k Key) uses(account string) bool {
	return len(k.Accounts) == 0 || slices.Contains(k.Accounts, account)
}

// scope returns the accounts that the caller may see, among those asked for; no argument
// means all.
func (s *Server) scope(ctx context.Context, asked ...string) ([]string, error) {
	all, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	caller := callerOf(ctx)
	return slices.DeleteFunc(all, func(name string) bool {
		return !caller.uses(name) || len(asked) > 0 && !slices.Contains(asked, name)
	}), nil
}

// find returns an extraction that the caller may see. Extractions of others are not found.
func (s *Server) find(ctx context.Context, id string) (store.Record, error) {
	accounts, err := s.scope(ctx)
	if err != nil {
		return store.Record{}, err
	}
	found, err := s.cfg.Records.GetAll(ctx, accounts, id)
	if err != nil {
		return store.Record{}, err
	}
	if len(found) == 0 || !callerOf(ctx).sees(found[0]) {
		return store.Record{}, store.ErrNotFound
	}
	return found[0], nil
}
