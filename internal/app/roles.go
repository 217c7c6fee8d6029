package app

import (
	"context"
	"log/slog"
	"slices"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/sandbox"
)

// StartSandboxFor starts a sandbox if an account needs one and names no address, and sets
// the address of these accounts.
func StartSandboxFor(ctx context.Context, accounts []config.Account, cfg sandbox.Config) (stop func(), err error) {
	stop = func() {}
	base := ""
	for i, a := range accounts {
		if a.Provider != SandboxProvider || a.BaseURL != "" {
			continue
		}
		if base == "" {
			if base, stop, err = StartSandbox(ctx, cfg); err != nil {
				return nil, err
			}
		}
		accounts[i].BaseURL = base + SandboxPath
	}
	return stop, nil
}

// ServeAll runs the roles of up until ctx ends or one of them fails. It then stops them one
// after the other: the worker first, and the dashboard last, so that the end can be watched.
func ServeAll(ctx context.Context, cfg Process, svc *Services, b *WebServer) error {
	w, err := NewServerWorker(cfg, svc)
	if err != nil {
		return err
	}
	a, err := NewAdmin(ctx, cfg, svc.RDB, svc.Blobs)
	if err != nil {
		return err
	}
	if b.API, err = NewAPI(cfg, svc); err != nil {
		return err
	}
	cfg.OnReload(a.After(func(ctx context.Context, next Process) error {
		if err := keepSandbox(cfg.Accounts, next.Accounts); err != nil {
			return err
		}
		// Every error of the configuration is found before anything is changed.
		if _, err := next.WorkerAccounts(next.Accounts); err != nil {
			return err
		}
		if err := b.Reload(next); err != nil {
			return err
		}
		return w.Reload(ctx, next)
	}))
	return a.RunBeside(ctx, func(ctx context.Context) error {
		return RunInOrder(ctx, cfg.Log,
			Role{"dashboard", func(ctx context.Context) error { return b.Serve(ctx, cfg, svc.Address) }},
			Role{"worker", w.Run},
		)
	})
}

// keepSandbox sets the address of the running sandbox in the accounts of a new
// configuration.
func keepSandbox(running, next []config.Account) error {
	for i, a := range next {
		if a.Provider != SandboxProvider || a.BaseURL != "" {
			continue
		}
		at := slices.IndexFunc(running, func(r config.Account) bool { return r.Name == a.Name && r.Provider == SandboxProvider })
		if at < 0 {
			return errkind.Usagef("account %s wants a sandbox of this process: that takes a restart", a.Name)
		}
		next[i].BaseURL = running[at].BaseURL
	}
	return nil
}

// Role is a part of the process that runs until its context ends.
type Role struct {
	Name string
	Run  func(context.Context) error
}

// RunInOrder starts the roles, and stops them one after the other, the last one first. It
// returns the error of the role that failed first; the end of ctx is not an error.
func RunInOrder(ctx context.Context, log *slog.Logger, roles ...Role) error {
	failing := make(chan error, len(roles))
	var stops []func()
	for _, r := range roles {
		// Each ends only when those after it have ended.
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := r.Run(own); err != nil {
				log.ErrorContext(own, "role failed", slog.String("role", r.Name), slog.Any("error", err))
				failing <- err
			}
		}()
		stops = append(stops, func() {
			cancel()
			<-done
			log.InfoContext(own, "role stopped", slog.String("role", r.Name))
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failing:
	}
	for _, stop := range slices.Backward(stops) {
		stop()
	}
	if err == nil {
		select { // A role that failed while it stopped.
		case err = <-failing:
		default:
		}
	}
	if err == nil || errkind.Of(err) != errkind.None {
		return err
	}
	return errkind.MarkUnavailable(err)
}
