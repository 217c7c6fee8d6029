package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
)

func dashboardCommand() *cli.Command {
	return &cli.Command{
		Name:  "dashboard",
		Usage: "show the queues in a browser, until told to stop",
		Description: `The asynq web UI is at /queues: each account's submit and poll tasks, with
labels and nothing else of what is in them. It is read-only unless the key that
is sent is an operator's, or --operator is given.

With keys configured (api.keys), the browser asks for one as the password; a
program sends Authorization: Bearer KEY. Without any, it listens on this machine
only.

Examples:

   extractq dashboard
   extractq dashboard --listen 127.0.0.1:9090 --operator
   extractq dashboard --redis redis://127.0.0.1:6379/0 --listen :8080 --no-auth`,
		Flags: dashboardFlags(),
		Action: func(c *cli.Context) error {
			// It shows whatever is in Redis, and needs no account for that.
			cfg, stopReload, err := loadServer(c, func(*settings) error { return nil })
			if err != nil {
				return err
			}
			defer stopReload()
			if c.Args().Present() {
				return errkind.Usagef("dashboard takes no arguments")
			}
			d, err := readDashboard(c, cfg)
			if err != nil {
				return err
			}
			defer d.Close()
			svc := &app.Services{} // It has no use for documents.
			if err := svc.Reach(c.Context, cfg.Process, false, app.DashboardPool); err != nil {
				return err
			}
			defer svc.Close()
			a, err := app.NewAdmin(c.Context, cfg.Process, svc.RDB, nil)
			if err != nil {
				return err
			}
			cfg.OnReload(a.After(func(_ context.Context, next app.Process) error { return d.Reload(next) }))
			return a.RunBeside(c.Context, func(ctx context.Context) error { return d.Serve(ctx, cfg.Process, svc.Address) })
		},
	}
}

// listenFlag is where a server listens.
func listenFlag() cli.Flag {
	return &cli.StringFlag{Name: "listen", EnvVars: []string{"EXTRACTQ_LISTEN"}, Usage: "`ADDR` to listen on (default: api.listen, 127.0.0.1:8080)"}
}

// dashboardFlags are those of the commands that have a dashboard.
func dashboardFlags() []cli.Flag {
	return []cli.Flag{
		listenFlag(),
		waitForRedis(),
		&cli.BoolFlag{Name: "operator", Usage: "let everyone who is let in change things; on this machine only"},
		&cli.BoolFlag{Name: "no-auth", Usage: "let everyone in, to look; for a private network"},
	}
}

// readDashboard reads the flags and takes the address, so that what is wrong with either is
// reported before anything is started.
func readDashboard(c *cli.Context, cfg settings) (*app.WebServer, error) {
	operator, noAuth := c.Bool("operator"), c.Bool("no-auth")
	if operator && noAuth {
		return nil, errkind.Usagef("--operator and --no-auth exclude each other: who is let in without a key may only look")
	}
	l, err := listen(c, cfg)
	if err != nil {
		return nil, err
	}
	b, err := app.NewWebServer(cfg.Process, l, operator, noAuth, cfg.Say)
	if err != nil {
		_ = l.Close()
	}
	return b, err
}
