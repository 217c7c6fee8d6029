package main

import (
	"context"
	"log/slog"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/sandbox"
)

func upCommand() *cli.Command {
	latency := sandbox.Latency{}
	return &cli.Command{
		Name:  "up",
		Usage: "api, worker and dashboard in one process, until told to stop",
		Description: `Everything that submit, status and watch need, on this machine. With no Redis
given it brings its own, in the data directory; the other commands find it there.

With --provider sandbox it needs no account: a sandbox in the same process stands
for the vendor, and forgets everything when that ends.

Examples:

   extractq up --provider sandbox --processing-time 20s
   extractq submit --provider sandbox --type tax_forms examples/
   extractq up --data /var/lib/extractq --listen 127.0.0.1:9090`,
		Flags: append(dashboardFlags(),
			acceptEmpty(),
			&cli.StringFlag{Name: "provider", Usage: "serve only the account of one `PROVIDER`; sandbox needs nothing at all"},
			&cli.GenericFlag{Name: "processing-time", Value: &latency, DefaultText: "0s", Usage: "with the sandbox, how long documents take: `LAW`: a time, lognormal:MEDIAN,SIGMA, uniform:FROM,TO, exponential:MEAN, or a mixture"},
		),
		Action: func(c *cli.Context) error {
			cfg, deaf, err := loadServer(c, func(cfg *settings) error { return chooseAccounts(cfg, c.String("provider")) })
			if err != nil {
				return err
			}
			defer deaf()
			if c.Args().Present() {
				return errkind.Usagef("up takes no arguments; in another terminal, extractq submit takes documents")
			}
			b, err := readDashboard(c, cfg)
			if err != nil {
				return err
			}
			defer b.Close()
			stop, err := standIn(c.Context, cfg.Accounts, sandbox.Config{ProcessingTime: latency, Logger: cfg.log})
			if err != nil {
				return errkind.MarkUnavailable(err)
			}
			defer stop()
			svc, err := open(c.Context, cfg, true)
			if err != nil {
				return err
			}
			defer svc.Close()
			return serveAll(c.Context, cfg, svc, b)
		},
	}
}

// chooseAccounts leaves the accounts that up works for.
func chooseAccounts(cfg *settings, provider string) error {
	if provider == "" && len(cfg.Accounts) > 0 {
		return nil
	}
	account, err := cfg.Account("", provider)
	if err != nil {
		return errkind.New(errkind.Usage, err)
	}
	cfg.Accounts = []config.Account{account}
	return nil
}

// standIn starts a sandbox where an account wants one and names no address, and
// sends these accounts there.
func standIn(ctx context.Context, accounts []config.Account, cfg sandbox.Config) (stop func(), err error) {
	stop = func() {}
	base := ""
	for i, a := range accounts {
		if a.Provider != sandboxProvider || a.BaseURL != "" {
			continue
		}
		if base == "" {
			if base, stop, err = startSandbox(ctx, cfg); err != nil {
				return nil, err
			}
		}
		accounts[i].BaseURL = base + sandboxPath
	}
	return stop, nil
}

// serveAll runs every role until ctx ends or one of them fails, then stops one
// after the other: first what makes tasks, then what carries them out, and the
// dashboard last, so that the end can be watched.
func serveAll(ctx context.Context, cfg settings, svc *services, b *board) error {
	w, err := newServerWorker(cfg, svc)
	if err != nil {
		return err
	}
	if cfg.admin, err = newAdmin(ctx, cfg, svc.rdb, svc.blobs); err != nil {
		return err
	}
	if b.api, err = newAPI(cfg, svc); err != nil {
		return err
	}
	cfg.onHangup(func(ctx context.Context, next settings) error {
		if err := sameStandIn(cfg.Accounts, next.Accounts); err != nil {
			return err
		}
		// All that can be wrong with it is found before anything is changed.
		if _, err := workerAccounts(next.Accounts, next.metrics); err != nil {
			return err
		}
		if err := b.reload(next); err != nil {
			return err
		}
		return w.reload(ctx, next)
	})
	return cfg.admin.beside(ctx, func(ctx context.Context) error {
		return inOrder(ctx, cfg.log,
			role{"dashboard", func(ctx context.Context) error { return b.serve(ctx, cfg, svc.address) }},
			role{"worker", w.Run},
		)
	})
}

// sameStandIn sends the accounts that were read again to the sandbox that is
// running.
func sameStandIn(running, next []config.Account) error {
	for i, a := range next {
		if a.Provider != sandboxProvider || a.BaseURL != "" {
			continue
		}
		at := slices.IndexFunc(running, func(r config.Account) bool { return r.Name == a.Name && r.Provider == sandboxProvider })
		if at < 0 {
			return errkind.Usagef("account %s wants a sandbox of this process: that takes a restart", a.Name)
		}
		next[i].BaseURL = running[at].BaseURL
	}
	return nil
}

// role is a part of the process that runs until its context ends.
type role struct {
	name string
	run  func(context.Context) error
}

// inOrder starts the roles and stops the last one first, each after the one
// before has ended. It returns the error of the role that failed first; an end
// of ctx is none.
func inOrder(ctx context.Context, log *slog.Logger, roles ...role) error {
	failing := make(chan error, len(roles))
	var stops []func()
	for _, r := range roles {
		// Each has an end of its own, which comes when those after it are over.
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := r.run(own); err != nil {
				log.ErrorContext(own, "role failed", slog.String("role", r.name), slog.Any("error", err))
				failing <- err
			}
		}()
		stops = append(stops, func() {
			cancel()
			<-done
			log.InfoContext(own, "role stopped", slog.String("role", r.name))
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
		select { // One that could not be stopped as it should.
		case err = <-failing:
		default:
		}
	}
	if err == nil || errkind.Of(err) != errkind.None {
		return err
	}
	return errkind.MarkUnavailable(err)
}
