package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/callback"
	"github.com/extractq/extractq/scheduler"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/worker"
)

func workerCommand() *cli.Command {
	return &cli.Command{
		Name:  "worker",
		Usage: "submit and poll for every account, until told to stop",
		Description: `Any number of workers share the work of one Redis and one document store.
At least one scheduler must run beside them. SIGHUP makes it read keys, rates,
limits and accounts again.

Example:

   extractq worker --redis redis://127.0.0.1:6379/0 --data /var/lib/extractq`,
		Action: func(c *cli.Context) error {
			return serveRole(c, withStore, serveWorker)
		},
	}
}

// serverWorker is the worker of a server role: it works for the configured accounts,
// looks after those that left, and calls producers back.
type serverWorker struct {
	*worker.Worker

	sender *callback.Sender
	// publicURL is api.public_url as the process was started with.
	publicURL string
}

func newServerWorker(cfg settings, svc *services) (serverWorker, error) {
	wc, err := workerConfig(cfg, svc, cfg.Accounts)
	if err != nil {
		return serverWorker{}, err
	}
	if wc.Accounts, err = serverAccounts(cfg.API.PublicURL, cfg.Accounts, cfg.metrics); err != nil {
		return serverWorker{}, err
	}
	wc.Gone = true
	sender, err := newSender(cfg)
	if err != nil {
		return serverWorker{}, err
	}
	wc.Deliverer = deliverer{sender}
	w, err := worker.New(wc)
	return serverWorker{w, sender, cfg.API.PublicURL}, err
}

// reload takes the accounts and the secrets of callbacks that were read again.
func (w serverWorker) reload(ctx context.Context, next settings) error {
	accounts, err := serverAccounts(w.publicURL, next.Accounts, next.metrics)
	if err != nil {
		return err
	}
	// Whether they are secrets at all, the configuration has checked.
	if err := w.sender.SetSecrets(senderConfig(next)); err != nil {
		return usage("callbacks: %w", err)
	}
	return w.Reload(ctx, accounts)
}

// serveWorker runs the worker for the configured accounts, which SIGHUP changes.
func serveWorker(ctx context.Context, cfg settings, svc *services) error {
	w, err := newServerWorker(cfg, svc)
	if err != nil {
		return err
	}
	cfg.onHangup(w.reload)
	if err := w.Run(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

func schedulerCommand() *cli.Command {
	return &cli.Command{
		Name:  "scheduler",
		Usage: "let the workers repair what a crash left behind, until told to stop",
		Description: `Any number of schedulers give one run each time. SIGHUP makes it read the
accounts again.

Example:

   extractq scheduler --redis redis://127.0.0.1:6379/0`,
		Action: func(c *cli.Context) error {
			return serveRole(c, openRecords, serveScheduler)
		},
	}
}

// newScheduler is the scheduler of a server role.
func newScheduler(cfg settings, svc *services) *scheduler.Scheduler {
	return scheduler.New(scheduler.Config{
		Redis: svc.rdb, Accounts: names(cfg.Accounts), Registered: svc.records.Accounts,
		Sweeps: sweeps(svc.records), Logger: cfg.log,
	})
}

// sweeps says how often the workers want an account's ready lists to be read.
func sweeps(records *store.Records) func(context.Context, string) (time.Duration, error) {
	return func(ctx context.Context, account string) (time.Duration, error) {
		l, err := records.Listing(ctx, account)
		return l.Every, err
	}
}

// serveScheduler ticks for the configured accounts, which SIGHUP changes, and for
// those that left the configuration.
func serveScheduler(ctx context.Context, cfg settings, svc *services) error {
	s := newScheduler(cfg, svc)
	cfg.onHangup(func(_ context.Context, next settings) error {
		s.Reload(names(next.Accounts))
		return nil
	})
	cfg.log.InfoContext(ctx, "scheduler started", slog.Int("accounts", len(cfg.Accounts)))
	return s.Run(ctx)
}

// serveRole opens what a server role needs and runs it until a signal, which is
// a graceful stop and no error.
func serveRole(c *cli.Context, open openFunc, role func(context.Context, settings, *services) error) error {
	cfg, stop, err := loadServer(c, wantAccounts)
	if err != nil {
		return err
	}
	defer stop()
	if c.Args().Present() {
		return usage("%s takes no arguments", c.Command.Name)
	}
	svc, err := open(c.Context, cfg)
	if err != nil {
		return err
	}
	defer svc.Close()
	if cfg.admin, err = newAdmin(c.Context, cfg, svc.rdb, svc.blobs); err != nil {
		return err
	}
	return cfg.admin.beside(c.Context, func(ctx context.Context) error { return role(ctx, cfg, svc) })
}
