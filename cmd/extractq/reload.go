package main

import (
	"log/slog"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/metrics"
)

// SIGHUP makes a server role read the configuration again; for every other command it is the end
// of the terminal, and of the command.

// reloadSignals passes SIGHUP from main to the role that listens, if one does.
type reloadSignals struct {
	mu       sync.Mutex
	listener chan struct{}
}

// reloadKey is the context's key for the reloadSignals.
type reloadKey struct{}

// take passes one on and reports whether a role listens. While one waits, another one changes
// nothing.
func (h *reloadSignals) take() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener == nil {
		return false
	}
	select {
	case h.listener <- struct{}{}:
	default:
	}
	return true
}

// listen sends the signals to the returned channel, until stop.
func (h *reloadSignals) listen() (came <-chan struct{}, stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	listener := make(chan struct{}, 1)
	h.listener = listener
	return listener, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.listener = nil
	}
}

// loadServer is load for a server role. From now until stop SIGHUP does not end the process; one
// that comes before the role has called OnReload waits. choose checks the configuration, now and
// each time it is read again.
func loadServer(c *cli.Context, choose func(*settings) error) (cfg settings, stop func(), err error) {
	h, ok := c.Context.Value(reloadKey{}).(*reloadSignals)
	if !ok {
		h = new(reloadSignals) // A test that is not started by main.
	}
	came, unlisten := h.listen()
	cfg, err = load(c, slog.LevelInfo)
	if err == nil {
		cfg.BriefOutages()
	}
	if cfg.WaitRedis = c.Duration(waitFlag); err == nil && cfg.WaitRedis < 0 {
		err = errkind.Usagef("--%s: %v is negative", waitFlag, cfg.WaitRedis)
	}
	if err == nil {
		err = choose(&cfg)
	}
	if err != nil {
		unlisten()
		return settings{}, nil, err
	}
	r := app.NewReloader(c.Context, came, func() (app.Process, error) {
		next, err := load(c, slog.LevelInfo)
		if err == nil {
			err = choose(&next)
		}
		return next.Process, err
	})
	cfg.Reloader, cfg.Metrics = r, metrics.New(version)
	return cfg, func() {
		r.Stop()
		unlisten()
	}, nil
}

// wantAccounts is an error where a server role would have nothing to do.
func wantAccounts(cfg *settings) error {
	if len(cfg.Accounts) == 0 {
		return errkind.Usagef("no account is configured: name one in the configuration file, or set SENSIBLE_API_KEY or TYPLESS_API_KEY")
	}
	return nil
}
