package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/doctor"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

func accountsCommand() *cli.Command {
	return &cli.Command{
		Name:      "accounts",
		Usage:     "show accounts: state, backlog, rate in use, last error; pause and resume them",
		ArgsUsage: "[NAME]",
		Description: `An account that left the configuration while it has extractions is shown as
paused by an operator, without a provider: it goes on when it is back.

Examples:

   extractq accounts
   extractq accounts acme --format json
   extractq accounts pause acme
   extractq accounts resume acme`,
		// The subcommands take them too.
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "table, json or ndjson"},
			&cli.BoolFlag{Name: "json", Usage: "the same as --format ndjson"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return errkind.Usagef("accounts takes at most one name; see extractq accounts --help")
			}
			return withAccounts(c, func(backend.Backend, string) error { return nil })
		},
		Subcommands: []*cli.Command{
			{
				Name: "pause", Usage: "stop an account's calls until it is resumed; ends no extraction", ArgsUsage: "NAME",
				Description: `Only "accounts resume" lifts it. Its queues show as paused in the web UI too.
Prints the account as "accounts" does, and takes the same flags.

Example:

   extractq accounts pause acme`,
				Action: func(c *cli.Context) error { return changeAccount(c, backend.Backend.Pause) },
			},
			{
				Name: "resume", Usage: "let an account go on, whatever it was paused for", ArgsUsage: "NAME",
				Description: `A pause that had another reason than an operator comes back if the reason lasts.
Prints the account as "accounts" does, and takes the same flags.

Example:

   extractq accounts resume acme`,
				Action: func(c *cli.Context) error { return changeAccount(c, backend.Backend.Resume) },
			},
		},
	}
}

// changeAccount carries out a change to the one account that is named, and shows
// what came of it.
func changeAccount(c *cli.Context, change func(backend.Backend, context.Context, string) error) error {
	if c.NArg() != 1 {
		return errkind.Usagef("accounts %s takes one name; see extractq accounts %[1]s --help", c.Command.Name)
	}
	return withAccounts(c, func(b backend.Backend, name string) error { return change(b, c.Context, name) })
}

// withAccounts opens what is needed, calls act with the account that is named,
// and prints that account, or all.
func withAccounts(c *cli.Context, act func(backend.Backend, string) error) error {
	cfg, err := load(c, slog.LevelWarn)
	if err != nil {
		return err
	}
	f, err := render.ChooseFormat(c.String("format"), c.Bool("json"), render.IsTerminal(c.App.Writer))
	if err != nil {
		return err
	}
	if f == render.CSV {
		return errkind.Usagef("accounts: --format: want table, json or ndjson")
	}
	p, err := cfg.open(c.Context, app.OpenRecords)
	if err != nil {
		return err
	}
	defer p.Close()
	all, err := p.Accounts(c.Context)
	if err != nil {
		return err
	}
	if name := c.Args().First(); name != "" {
		if !slices.Contains(all, name) {
			return errkind.Usagef("no account is called %q: the accounts are %s", name, strings.Join(all, ", "))
		}
		if err := act(p, name); err != nil {
			return err
		}
		all = []string{name}
	}
	shown, err := p.StatesOf(c.Context, all)
	if err != nil {
		return err
	}
	sayUnhooked(cfg, all)
	if unserved, err := p.Unserved(c.Context, all); err == nil && len(unserved) > 0 {
		cfg.Say("%s", app.UnservedText(unserved))
	}
	return render.WriteAccounts(c.App.Writer, f, shown)
}

// sayUnhooked names those of the shown accounts that wait for webhooks and whose vendor is
// not told where to call.
func sayUnhooked(cfg settings, shown []string) {
	for _, a := range cfg.Accounts {
		if cfg.server == nil && cfg.API.PublicURL == "" && !a.HookToken.IsZero() && slices.Contains(shown, a.Name) {
			_, why := doctor.JudgeHook("", a)
			cfg.Say("%s", why)
		}
	}
}
