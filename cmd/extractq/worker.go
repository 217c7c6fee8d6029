package main

import (
	"context"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/callback"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/worker"
)

func workerCommand() *cli.Command {
	return &cli.Command{
		Name:  "worker",
		Usage: "submit and poll for every account, until told to stop",
		Description: `Any number of workers share the work of one Redis and one document store.
They repair what a crash left behind, read the vendors' lists and erase what has
expired by themselves. SIGHUP makes it read keys, rates, limits and accounts again.

Example:

   extractq worker --redis redis://127.0.0.1:6379/0 --data /var/lib/extractq`,
		Flags: []cli.Flag{acceptEmpty(), waitForRedis()},
		Action: func(c *cli.Context) error {
			return serveRole(c, withStore, serveWorker)
		},
	}
}

// serverWorker is the worker of a server role: it works for the configured accounts and
// calls producers back.
type serverWorker struct {
	*worker.Worker

	sender *callback.Sender
	// started is what the process was started with: some of it only a restart changes.
	started settings
}

func newServerWorker(cfg settings, svc *services) (serverWorker, error) {
	wc, err := workerConfig(cfg, svc, cfg.Accounts)
	if err != nil {
		return serverWorker{}, err
	}
	if wc.Accounts, err = serverAccounts(cfg, cfg.Accounts, cfg.metrics); err != nil {
		return serverWorker{}, err
	}
	sender, err := newSender(cfg)
	if err != nil {
		return serverWorker{}, err
	}
	wc.Deliverer = deliverer{sender}
	w, err := worker.New(wc)
	return serverWorker{w, sender, cfg}, err
}

// reload takes the accounts and the secrets of callbacks that were read again.
func (w serverWorker) reload(ctx context.Context, next settings) error {
	accounts, err := serverAccounts(w.started, next.Accounts, next.metrics)
	if err != nil {
		return err
	}
	// Whether they are secrets at all, the configuration has checked.
	if err := w.sender.SetSecrets(senderConfig(next)); err != nil {
		return errkind.Usagef("callbacks: %w", err)
	}
	warnInClear(w.started.log, next.Accounts)
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
		return errkind.MarkUnavailable(err)
	}
	return nil
}

func schedulerCommand() *cli.Command {
	return &cli.Command{
		Name:  "scheduler",
		Usage: "look after the accounts beside the workers, until told to stop",
		Description: `Workers repair what a crash left behind, probe paused accounts, read the vendors'
lists and erase what has expired by themselves. A scheduler does the same without
submitting or polling: for workers that have too much to do. Any number of them and
of workers give one run each time. It takes the workers' configuration and document
store. SIGHUP makes it read keys, rates, limits and accounts again.

Example:

   extractq scheduler --redis redis://127.0.0.1:6379/0 --data /var/lib/extractq`,
		Flags: []cli.Flag{acceptEmpty(), waitForRedis()},
		Action: func(c *cli.Context) error {
			return serveRole(c, withStore, serveScheduler)
		},
	}
}

// serveScheduler looks after the configured accounts, which SIGHUP changes, and after
// those that no worker has.
func serveScheduler(ctx context.Context, cfg settings, svc *services) error {
	w, err := newServerWorker(cfg, svc)
	if err != nil {
		return err
	}
	cfg.onHangup(w.reload)
	cfg.log.InfoContext(ctx, "scheduler started", slog.Int("accounts", len(cfg.Accounts)))
	w.LookAfter(ctx)
	return nil
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
		return errkind.Usagef("%s takes no arguments", c.Command.Name)
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
