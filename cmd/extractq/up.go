package main

import (
	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/app"
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
			cfg, stopReload, err := loadServer(c, func(cfg *settings) error { return chooseAccounts(cfg, c.String("provider")) })
			if err != nil {
				return err
			}
			defer stopReload()
			if c.Args().Present() {
				return errkind.Usagef("up takes no arguments; in another terminal, extractq submit takes documents")
			}
			b, err := readDashboard(c, cfg)
			if err != nil {
				return err
			}
			defer b.Close()
			stop, err := app.StartSandboxFor(c.Context, cfg.Accounts, sandbox.Config{ProcessingTime: latency, Logger: cfg.Log})
			if err != nil {
				return errkind.MarkUnavailable(err)
			}
			defer stop()
			svc, err := app.Open(c.Context, cfg.Process, true)
			if err != nil {
				return err
			}
			defer svc.Close()
			return app.ServeAll(c.Context, cfg.Process, svc, b)
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
