package main

import (
	"context"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/scheduler"
)

func workerCommand() *cli.Command {
	return &cli.Command{
		Name:  "worker",
		Usage: "submit and poll for every account, until told to stop",
		Description: `Any number of workers share the work of one Redis and one document store.
At least one scheduler must run beside them.

Example:

   extractq worker --redis redis://127.0.0.1:6379/0 --data /var/lib/extractq`,
		Action: func(c *cli.Context) error {
			return serveRole(c, withStore, func(ctx context.Context, cfg settings, svc *services) error {
				w, err := newWorker(cfg, svc, cfg.Accounts, 0)
				if err != nil {
					return err
				}
				if err := w.Run(ctx); err != nil {
					return unavailable(err)
				}
				return nil
			})
		},
	}
}

func schedulerCommand() *cli.Command {
	return &cli.Command{
		Name:  "scheduler",
		Usage: "let the workers repair what a crash left behind, until told to stop",
		Description: `Any number of schedulers give one run each time.

Example:

   extractq scheduler --redis redis://127.0.0.1:6379/0`,
		Action: func(c *cli.Context) error {
			return serveRole(c, openRecords, func(ctx context.Context, cfg settings, svc *services) error {
				cfg.log.InfoContext(ctx, "scheduler started", slog.Int("accounts", len(cfg.Accounts)))
				return scheduler.New(scheduler.Config{
					Redis: svc.rdb, Accounts: names(cfg.Accounts), Logger: cfg.log,
				}).Run(ctx)
			})
		},
	}
}

// serveRole opens what a server role needs and runs it until a signal, which is
// a graceful stop and no error.
func serveRole(c *cli.Context, open openFunc, role func(context.Context, settings, *services) error) error {
	cfg, err := load(c, slog.LevelInfo)
	if err != nil {
		return err
	}
	if c.Args().Present() {
		return usage("%s takes no arguments", c.Command.Name)
	}
	if len(cfg.Accounts) == 0 {
		return usage("no account is configured: name one in the configuration file, or set SENSIBLE_API_KEY or TYPLESS_API_KEY")
	}
	svc, err := open(c.Context, cfg)
	if err != nil {
		return err
	}
	defer svc.Close()
	return role(c.Context, cfg, svc)
}
