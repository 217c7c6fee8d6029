// Package dashboard shows operators the queues: the asynq web UI behind our own access
// check.
//
// The UI has no authentication and shows whatever a payload contains. Here it is read-only
// unless the visitor may operate, shows labels only, and runs under headers that keep the
// browser from contacting other hosts. It can act on tasks only: records are changed by
// workers.
package dashboard

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/serve"
)

// Config configures a Dashboard.
type Config struct {
	// Redis is used by the dashboard alone, so that its listings take no connection from a
	// worker. Close closes it.
	Redis redis.UniversalClient
	// Keys are the API keys. Without keys the dashboard is for this machine only.
	Keys []Key
	// Operator lets every admitted visitor make changes, not only operator keys. It
	// requires a loopback listener.
	Operator bool
	// NoAuth admits everyone who can reach the listener, read-only: for a private network.
	// Keys and Operator are ignored then.
	NoAuth bool
	// Logger receives one line per change, and the refused requests.
	Logger *slog.Logger
	// Refused counts refused requests by reason; nil counts nothing.
	Refused func(reason string, n int)
}

// maxBody exceeds any request of the UI: the ids of a page of tasks.
const maxBody = 1 << 20

// Dashboard is the web server for operators. Make one with New.
type Dashboard struct {
	cfg      Config
	access   atomic.Pointer[access]
	refusals *serve.Refusals
	handler  http.Handler
}

// New returns a dashboard. It makes no connection before its first request.
func New(cfg Config) (*Dashboard, error) {
	d := &Dashboard{cfg: cfg, refusals: serve.NewRefusals(cfg.Logger, cfg.Refused, serve.NoKey, serve.UnknownKey, serve.LimitedKey, serve.Foreign)}
	d.access.Store(newAccess(cfg))
	shown, err := newQueues(cfg.Redis, true)
	if err != nil {
		return nil, err
	}
	// There may be no operator key yet; keys can change.
	open, err := newQueues(cfg.Redis, false)
	if err != nil {
		return nil, err
	}
	d.handler = d.routes(shown, open)
	return d, nil
}

// Reload replaces the keys, from the next request on. Config.Admits says whether the
// listener may stay open with them.
func (d *Dashboard) Reload(keys []Key) {
	cfg := d.cfg
	cfg.Keys = keys
	d.access.Store(newAccess(cfg))
}

// Close closes the Redis client.
func (d *Dashboard) Close() error {
	d.refusals.Close()
	return d.cfg.Redis.Close()
}

// Handler serves everything. A caller that does not use Serve must ask Config.Admits about
// the listener.
func (d *Dashboard) Handler() http.Handler { return d.handler }

// Serve answers on listener until ctx ends, then lets running requests finish. It refuses a
// listener that Config.Admits refuses.
func (d *Dashboard) Serve(ctx context.Context, listener net.Listener) error {
	if err := d.cfg.Admits(listener.Addr()); err != nil {
		_ = listener.Close()
		return err
	}
	return serve.Until(ctx, listener, d.handler, d.cfg.Logger)
}

// routes puts the pages behind the access check: shown is the UI for viewers, open the one
// for operators.
func (d *Dashboard) routes(shown, open http.Handler) http.Handler {
	queues := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if visitorOf(r) == operator {
			open.ServeHTTP(w, r)
			return
		}
		shown.ServeHTTP(w, r)
	})
	pages := http.NewServeMux()
	pages.Handle(root, queues)
	pages.Handle(root+"/", queues)
	pages.Handle("GET /{$}", http.RedirectHandler(root, http.StatusFound))

	all := http.NewServeMux()
	all.Handle("/", d.guarded(http.MaxBytesHandler(pages, maxBody)))
	all.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	return withHeaders(all)
}

// withHeaders sets the headers of every answer. A page that must load something widens
// them.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy(""))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
