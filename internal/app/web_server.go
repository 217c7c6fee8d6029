package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/dashboard"
	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/httpauth"
)

// WebServer serves the dashboard, and the API beside it, at an address it listens on.
type WebServer struct {
	listener net.Listener
	// say prints a line for the user.
	say func(format string, args ...any)
	// API is served at the same address; nil for the dashboard alone.
	API *APIServer

	// mu guards the fields below: the keys may be reloaded at any time.
	mu     sync.Mutex
	cfg    dashboard.Config
	served *dashboard.Dashboard // nil before and after.
}

// Close closes the listener.
func (b *WebServer) Close() { _ = b.listener.Close() }

// NewWebServer returns a server for a listener. operator lets every visitor change things,
// and noAuth admits everyone. say prints a line for the user.
func NewWebServer(p Process, l net.Listener, operator, noAuth bool, say func(format string, args ...any)) (*WebServer, error) {
	b := &WebServer{listener: l, say: say, cfg: dashboard.Config{
		Operator: operator, NoAuth: noAuth, Logger: p.Log, Refused: p.Metrics.Refused("dashboard"), Keys: dashboardKeys(p),
	}}
	if err := b.cfg.Admits(l.Addr()); err != nil {
		hint := "listen on 127.0.0.1, configure api.keys, or give --no-auth in a private network"
		if errors.Is(err, dashboard.ErrOperatorExposed) {
			hint = "leave --operator out and use a key with operator: true"
		}
		return nil, errkind.Usagef("cannot listen on %s: %w; %s", l.Addr(), err, hint)
	}
	return b, nil
}

// Serve says where the dashboard is, and serves it until ctx ends.
func (b *WebServer) Serve(ctx context.Context, cfg Process, where address.Server) error {
	rdb, err := Connect(ctx, where, DashboardPool)
	if err != nil {
		return err
	}
	d, err := b.begin(rdb)
	if err != nil {
		return errors.Join(err, rdb.Close())
	}
	defer b.end(d)
	b.say("dashboard at http://%s/", b.listener.Addr())
	if b.API != nil {
		return ServeAPI(ctx, cfg, b.API, beside(b.API.Handler(), d.Handler()), b.listener)
	}
	return d.Serve(ctx, b.listener)
}

// begin creates the dashboard with the present keys.
func (b *WebServer) begin(rdb redis.UniversalClient) (*dashboard.Dashboard, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cfg.Redis = rdb
	var err error
	b.served, err = dashboard.New(b.cfg)
	return b.served, err
}

func (b *WebServer) end(d *dashboard.Dashboard) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.served = nil
	_ = d.Close() // The role ends; the error changes nothing.
}

// Reload replaces the keys. It is an error if the server may not listen on its address with
// the new ones.
func (b *WebServer) Reload(next Process) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	cfg := b.cfg
	cfg.Keys = dashboardKeys(next)
	if err := cfg.Admits(b.listener.Addr()); err != nil {
		return fmt.Errorf("api.keys: %w", err)
	}
	if b.API != nil {
		if err := b.API.Reload(next); err != nil {
			return err
		}
	}
	b.cfg = cfg
	if b.served != nil {
		b.served.Reload(cfg.Keys)
	}
	return nil
}

// dashboardKeys returns the configured keys for the dashboard.
func dashboardKeys(cfg Process) []dashboard.Key {
	var keys []dashboard.Key
	for _, k := range cfg.API.Keys {
		key := dashboard.Key{
			Name: k.Name, Digest: httpauth.Digest(k.Secret.Reveal()), Operator: k.Operator,
			Limited: len(k.Accounts) > 0 || k.Customer != "",
		}
		keys = append(keys, key)
		if !k.PreviousSecret.IsZero() { // Both secrets are of the same key.
			key.Digest = httpauth.Digest(k.PreviousSecret.Reveal())
			keys = append(keys, key)
		}
	}
	return keys
}

// beside serves the HTTP API and the dashboard's pages at one address. Each checks access to
// its own.
func beside(api, pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/v1/", "/docs", "/docs/", "/openapi.json", "/openapi.yaml", "/openapi-3.0.json", "/openapi-3.0.yaml", "/readyz"} {
		mux.Handle(path, api)
	}
	mux.Handle("/", pages)
	return mux
}

// DashboardPool is the number of connections that a dashboard may need: a few for each open
// page.
const DashboardPool = 16
