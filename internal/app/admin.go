package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/serve"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/metrics"
	"github.com/extractq/extractq/store"
)

// Admin is the port that every server role has for supervisors and Prometheus:
// /healthz, /readyz and /metrics.
type Admin struct {
	cfg      Process
	listener net.Listener // nil where there is none.
	ready    func(context.Context) error
	// accounts are the configured ones, which a reload changes.
	accounts atomic.Pointer[[]string]
}

// NewAdmin listens on the port. If another role on the machine has the default address, the
// role runs without one; an address that was configured must be free. blobs is nil for a
// role that uses no document.
func NewAdmin(ctx context.Context, cfg Process, rdb redis.UniversalClient, blobs *store.Blobs) (*Admin, error) {
	a := &Admin{cfg: cfg}
	a.reload(cfg)
	records, err := store.NewRecords(rdb)
	if err != nil {
		return nil, err
	}
	a.ready = func(ctx context.Context) error {
		if blobs == nil {
			return records.CheckRedis(ctx)
		}
		return store.CheckPair(ctx, records, blobs)
	}
	cfg.Metrics.Share(metrics.Shared{
		Records: records, Limiter: limiter.New(rdb, records), Queue: queue.New(rdb), Accounts: func() []string { return *a.accounts.Load() },
	})
	address := cfg.Admin.Listen
	if address == "" {
		return a, nil
	}
	a.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		cfg.Log.InfoContext(ctx, "health and metrics", slog.String("address", a.listener.Addr().String()))
	case errors.Is(err, syscall.EADDRINUSE) && address == config.Default().Admin.Listen:
		cfg.Log.WarnContext(ctx, "no health and metrics: another process has their address; give each its own with admin.listen",
			slog.String("address", address))
	default:
		return nil, errkind.MarkUnavailable(fmt.Errorf("admin.listen: %w", err))
	}
	return a, nil
}

// After returns apply and, if it succeeds, the accounts of this port as they are then.
func (a *Admin) After(apply func(context.Context, Process) error) func(context.Context, Process) error {
	return func(ctx context.Context, next Process) error {
		err := apply(ctx, next)
		if err == nil {
			a.reload(next)
		}
		return err
	}
}

// reload replaces the accounts.
func (a *Admin) reload(cfg Process) {
	all := AccountNames(cfg.Accounts)
	a.accounts.Store(&all)
	for _, name := range all {
		cfg.Metrics.Account(name)
	}
}

// RunBeside runs a role and serves the port until it has ended, so that its end can be
// watched.
func (a *Admin) RunBeside(ctx context.Context, run func(context.Context) error) error {
	if a.listener == nil {
		return run(ctx)
	}
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := serve.Until(own, a.listener, a.handler(), a.cfg.Log); err != nil {
			a.cfg.Log.ErrorContext(own, "health and metrics failed", slog.Any("error", err))
		}
	}()
	defer func() { stop(); <-done }()
	return run(ctx)
}

// readyTimeout is less than what a health check is usually given.
const readyTimeout = 3 * time.Second

func (a *Admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := a.ready(ctx); err != nil {
			a.cfg.Log.WarnContext(ctx, "not ready", slog.Any("error", err))
			respond(w, http.StatusServiceUnavailable, "Redis or the document store does not answer as it should; the log says more")
			return
		}
		respond(w, http.StatusOK, "ok")
	})
	mux.Handle("GET /metrics", a.cfg.Metrics.Handler(a.cfg.Log))
	if !serve.IsLoopback(a.listener.Addr().String()) {
		return mux
	}
	// A web page must not read it through a host name that resolves to this machine.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !serve.IsLoopback(r.Host) {
			respond(w, http.StatusForbidden, "ask by the address of this machine's own, such as 127.0.0.1")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func respond(w http.ResponseWriter, status int, says string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": says})
}
