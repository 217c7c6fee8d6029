package app

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/extractq/extractq/config"
)

// Reloader reads the configuration again at each signal.
type Reloader struct {
	signals <-chan struct{}
	read    func() (Process, error)
	ctx     context.Context // Of the goroutine that reloads.
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// NewReloader returns a Reloader that calls read at each signal, until Stop or the end of
// ctx.
func NewReloader(ctx context.Context, signals <-chan struct{}, read func() (Process, error)) *Reloader {
	ctx, cancel := context.WithCancel(ctx)
	return &Reloader{signals: signals, read: read, ctx: ctx, cancel: cancel}
}

// Stop ends reloading.
func (r *Reloader) Stop() {
	r.cancel()
	r.wg.Wait()
}

// OnReload calls apply with the new configuration after each signal. A configuration with
// an error is not applied. apply either changes everything or returns an error.
func (p Process) OnReload(apply func(context.Context, Process) error) {
	r := p.Reloader
	if r == nil {
		return
	}
	r.wg.Go(func() {
		for {
			select {
			case <-r.ctx.Done():
				return
			case <-r.signals:
				r.reload(p, apply)
			}
		}
	})
}

// reload reads the configuration once more and applies it. now is the one that the process
// was started with.
func (r *Reloader) reload(now Process, apply func(context.Context, Process) error) {
	next, err := r.read()
	if err == nil {
		// These belong to the process, not to its configuration.
		next.Log, next.outages, next.Reloader, next.Metrics = now.Log, now.outages, r, now.Metrics
		err = apply(r.ctx, next)
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			now.Log.ErrorContext(r.ctx, "configuration not reloaded, nothing has changed",
				slog.String("problem", strings.TrimSuffix(line, "\n")))
		}
		return
	}
	if left := config.NeedRestart(now.Config, next.Config); len(left) > 0 {
		now.Log.WarnContext(r.ctx, "some settings take effect only after a restart", slog.Any("settings", left))
	}
	now.Log.InfoContext(r.ctx, "configuration reloaded", slog.Int("accounts", len(next.Accounts)))
}
