package main

import (
	"context"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
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
			return serveRole(c, app.OpenStore, serveWorker)
		},
	}
}

// serveWorker runs the worker for the configured accounts, which SIGHUP changes.
func serveWorker(ctx context.Context, cfg app.Process, svc *app.Services, a *app.Admin) error {
	w, err := app.NewServerWorker(cfg, svc)
	if err != nil {
		return err
	}
	cfg.OnReload(a.After(w.Reload))
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
			return serveRole(c, app.OpenStore, serveScheduler)
		},
	}
}

// serveScheduler looks after the configured accounts, which SIGHUP changes, and after
// those that no worker has.
func serveScheduler(ctx context.Context, cfg app.Process, svc *app.Services, a *app.Admin) error {
	w, err := app.NewServerWorker(cfg, svc)
	if err != nil {
		return err
	}
	cfg.OnReload(a.After(w.Reload))
	cfg.Log.InfoContext(ctx, "scheduler started", slog.Int("accounts", len(cfg.Accounts)))
	w.LookAfter(ctx)
	return nil
}

// serveRole opens what a server role needs and runs it until a signal, which is
// a graceful stop and no error.
func serveRole(c *cli.Context, open app.OpenFunc, role func(context.Context, app.Process, *app.Services, *app.Admin) error) error {
	cfg, stop, err := loadServer(c, wantAccounts)
	if err != nil {
		return err
	}
	defer stop()
	if c.Args().Present() {
		return errkind.Usagef("%s takes no arguments", c.Command.Name)
	}
	svc, err := open(c.Context, cfg.Process)
	if err != nil {
		return err
	}
	defer svc.Close()
	a, err := app.NewAdmin(c.Context, cfg.Process, svc.RDB, svc.Blobs)
	if err != nil {
		return err
	}
	return a.RunBeside(c.Context, func(ctx context.Context) error { return role(ctx, cfg.Process, svc, a) })
}
