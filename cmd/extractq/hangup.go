package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/metrics"
)

// A server role takes SIGHUP for the wish to read the configuration again; for
// every other command it is the end of the terminal, and of the command.

// hangups leads SIGHUP from main to the role that listens, if one does.
type hangups struct {
	mu       sync.Mutex
	listener chan struct{}
}

// hangupKey is where main leaves the hangups in the context.
type hangupKey struct{}

// take passes one on and reports whether anybody listens. While one waits to be
// acted upon, another one is the same wish.
func (h *hangups) take() bool {
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

// listen makes the hangups come to the returned channel, until stop.
func (h *hangups) listen() (came <-chan struct{}, stop func()) {
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

// reloader reads the configuration again at each SIGHUP.
type reloader struct {
	c    *cli.Context
	came <-chan struct{}
	// choose says which of the accounts are the role's, or what is wrong with
	// them.
	choose func(*settings) error
	ctx    context.Context
	wg     sync.WaitGroup
}

// loadServer is load for a server role. From here until stop SIGHUP no longer
// ends the process; one that comes before the role has called onHangup waits.
// choose has a look at the configuration, now and each time it is read again.
func loadServer(c *cli.Context, choose func(*settings) error) (cfg settings, stop func(), err error) {
	h, ok := c.Context.Value(hangupKey{}).(*hangups)
	if !ok {
		h = new(hangups) // A test that is not started by main.
	}
	came, unlisten := h.listen()
	cfg, err = load(c, slog.LevelInfo)
	if err == nil {
		cfg.noteAbsence()
	}
	if cfg.waitRedis = c.Duration(waitFlag); err == nil && cfg.waitRedis < 0 {
		err = errkind.Usagef("--%s: %v is negative", waitFlag, cfg.waitRedis)
	}
	if err == nil {
		err = choose(&cfg)
	}
	if err != nil {
		unlisten()
		return settings{}, nil, err
	}
	ctx, cancel := context.WithCancel(c.Context)
	r := &reloader{c: c, came: came, choose: choose, ctx: ctx}
	cfg.reloader, cfg.metrics = r, metrics.New(version)
	return cfg, func() {
		cancel()
		r.wg.Wait()
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

// onHangup calls apply with the configuration as it is after each SIGHUP. A file
// in which something is wrong is not applied. apply either changes everything or
// returns an error.
func (s settings) onHangup(apply func(context.Context, settings) error) {
	r := s.reloader
	if r == nil {
		return
	}
	r.wg.Go(func() {
		for {
			select {
			case <-r.ctx.Done():
				return
			case <-r.came:
				r.reload(s, apply)
			}
		}
	})
}

// reload reads the configuration once more and applies it. now is the one that
// the process was started with.
func (r *reloader) reload(now settings, apply func(context.Context, settings) error) {
	next, err := load(r.c, slog.LevelInfo)
	if err == nil {
		err = r.choose(&next)
	}
	if err == nil {
		// These are the process's own.
		next.log, next.Console, next.reloader, next.metrics = now.log, now.Console, r, now.metrics
		err = apply(r.ctx, next)
	}
	if err == nil && now.admin != nil {
		now.admin.reload(next)
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			now.log.ErrorContext(r.ctx, "configuration not reloaded, nothing has changed",
				slog.String("problem", strings.TrimSuffix(line, "\n")))
		}
		return
	}
	if left := needRestart(now, next); len(left) > 0 {
		now.log.WarnContext(r.ctx, "some settings take effect only after a restart", slog.Any("settings", left))
	}
	now.log.InfoContext(r.ctx, "configuration reloaded", slog.Int("accounts", len(next.Accounts)))
}

// needRestart are the settings that differ and that a running process keeps.
func needRestart(now, next settings) []string {
	var out []string
	for _, s := range []struct {
		name    string
		differs bool
	}{
		{"redis", now.Redis != next.Redis},
		{"data", now.Data != next.Data},
		{"api.listen", now.API.Listen != next.API.Listen},
		{"api.max_document", now.API.MaxDocument != next.API.MaxDocument},
		{"api.public_url", now.API.PublicURL != next.API.PublicURL},
		{"callbacks.allow_hosts", !slices.Equal(now.Callbacks.AllowHosts, next.Callbacks.AllowHosts)},
		{"fetch.allow_hosts", !slices.Equal(now.Fetch.AllowHosts, next.Fetch.AllowHosts)},
		{"admin", now.Admin != next.Admin},
		{"worker", now.Worker != next.Worker},
	} {
		if s.differs {
			out = append(out, s.name)
		}
	}
	return out
}
