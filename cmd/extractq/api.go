package main

import (
	"context"
	"fmt"
	"net"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
)

func apiCommand() *cli.Command {
	return &cli.Command{
		Name:  "api",
		Usage: "take documents over HTTP, until told to stop",
		Description: `Other services submit, wait, list and listen under /v1; /docs is the reference, and
/openapi.json its machine-readable form. With keys configured (api.keys) each
request sends one as Authorization: Bearer KEY; without any, it listens on this
machine only. Workers and a scheduler run beside it.

Examples:

   extractq api
   extractq api --listen 127.0.0.1:9090`,
		Flags: []cli.Flag{listenFlag(), acceptEmpty(), waitForRedis()},
		Action: func(c *cli.Context) error {
			cfg, stopReload, err := loadServer(c, wantAccounts)
			if err != nil {
				return err
			}
			defer stopReload()
			if c.Args().Present() {
				return errkind.Usagef("api takes no arguments")
			}
			listener, err := listen(c, cfg)
			if err != nil {
				return err
			}
			defer func() { _ = listener.Close() }()
			if err := app.CheckListen(cfg.Process, listener.Addr()); err != nil {
				return err
			}
			svc, err := app.OpenStore(c.Context, cfg.Process)
			if err != nil {
				return err
			}
			defer svc.Close()
			a, err := app.NewAdmin(c.Context, cfg.Process, svc.RDB, svc.Blobs)
			if err != nil {
				return err
			}
			s, err := app.NewAPI(cfg.Process, svc)
			if err != nil {
				return err
			}
			cfg.OnReload(a.After(func(_ context.Context, next app.Process) error {
				if err := app.CheckListen(next, listener.Addr()); err != nil {
					return err
				}
				return s.Reload(next)
			}))
			cfg.Say("api at http://%s/v1", listener.Addr())
			return a.RunBeside(c.Context, func(ctx context.Context) error {
				return app.ServeAPI(ctx, cfg.Process, s, s.Handler(), listener)
			})
		},
	}
}

// listen takes the address that the flag or the file names.
func listen(c *cli.Context, cfg settings) (net.Listener, error) {
	address := cfg.API.Listen
	if s := c.String("listen"); s != "" {
		var err error
		if address, err = config.ListenAddress(s); err != nil {
			return nil, errkind.Usagef("--listen: %w", err)
		}
	}
	l, err := new(net.ListenConfig).Listen(c.Context, "tcp", address)
	if err != nil {
		return nil, errkind.MarkUnavailable(fmt.Errorf("%w; choose another address with --listen", err))
	}
	return l, nil
}
