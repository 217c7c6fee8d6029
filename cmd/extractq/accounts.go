package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/limiter"
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
			return withAccounts(c, func(desk, string) error { return nil })
		},
		Subcommands: []*cli.Command{
			{
				Name: "pause", Usage: "stop an account's calls until it is resumed; ends no extraction", ArgsUsage: "NAME",
				Description: `Only "accounts resume" lifts it. Its queues show as paused in the web UI too.
Prints the account as "accounts" does, and takes the same flags.

Example:

   extractq accounts pause acme`,
				Action: func(c *cli.Context) error { return changeAccount(c, desk.pause) },
			},
			{
				Name: "resume", Usage: "let an account go on, whatever it was paused for", ArgsUsage: "NAME",
				Description: `A pause that had another reason than an operator comes back if the reason lasts.
Prints the account as "accounts" does, and takes the same flags.

Example:

   extractq accounts resume acme`,
				Action: func(c *cli.Context) error { return changeAccount(c, desk.resume) },
			},
		},
	}
}

// changeAccount carries out a change to the one account that is named, and shows
// what came of it.
func changeAccount(c *cli.Context, change func(desk, context.Context, string) error) error {
	if c.NArg() != 1 {
		return errkind.Usagef("accounts %s takes one name; see extractq accounts %[1]s --help", c.Command.Name)
	}
	return withAccounts(c, func(d desk, name string) error { return change(d, c.Context, name) })
}

// withAccounts opens what is needed, calls act with the account that is named,
// and prints that account, or all.
func withAccounts(c *cli.Context, act func(desk, string) error) error {
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
	p, err := openProducer(c.Context, cfg, openRecords)
	if err != nil {
		return err
	}
	defer p.Close()
	d := p.desk()
	all, err := p.accounts(c.Context)
	if err != nil {
		return err
	}
	if name := c.Args().First(); name != "" {
		if !slices.Contains(all, name) {
			return errkind.Usagef("no account is called %q: the accounts are %s", name, strings.Join(all, ", "))
		}
		if err := act(d, name); err != nil {
			return err
		}
		all = []string{name}
	}
	shown, err := d.states(c.Context, all)
	if err != nil {
		return err
	}
	d.remark(cfg, all)
	if unserved, err := p.unserved(c.Context, all); err == nil && len(unserved) > 0 {
		cfg.Say("%s", unservedText(unserved))
	}
	return render.WriteAccounts(c.App.Writer, f, shown)
}

// remark names those of the shown accounts that wait for webhooks and whose vendor
// is not told where to call.
func (d *accountDesk) remark(cfg settings, shown []string) {
	for _, a := range d.configured() {
		if cfg.API.PublicURL == "" && !a.HookToken.IsZero() && slices.Contains(shown, a.Name) {
			_, why := judgeHook("", a)
			cfg.Say("%s", why)
		}
	}
}

// accountDesk shows and changes the state of accounts.
type accountDesk struct {
	*services

	configured func() []config.Account
	limits     *limiter.Limiter
	queue      *queue.Queue
}

// states are some accounts as they are now.
func (d *accountDesk) states(ctx context.Context, names []string) ([]extraction.AccountState, error) {
	out := make([]extraction.AccountState, len(names))
	for i, name := range names {
		var err error
		if out[i], err = d.state(ctx, name); err != nil {
			return nil, errkind.MarkUnavailable(err)
		}
	}
	return out, nil
}

func (d *accountDesk) account(name string) (config.Account, bool) {
	all := d.configured()
	i := slices.IndexFunc(all, func(a config.Account) bool { return a.Name == name })
	if i < 0 {
		return config.Account{}, false
	}
	return all[i], true
}

// pause stops an account for good. The state comes first: it is what counts, and
// the queues are brought in line with it by the next tick too.
func (d *accountDesk) pause(ctx context.Context, name string) error {
	if _, err := d.limits.Pause(ctx, name, limiter.Operator, "", "paused by an operator"); err != nil {
		return errkind.MarkUnavailable(err)
	}
	if err := d.queue.SetPaused(ctx, name, true, true); err != nil {
		return errkind.MarkUnavailable(err)
	}
	return nil
}

// resume lifts whatever pause there is.
func (d *accountDesk) resume(ctx context.Context, name string) error {
	served, err := d.limits.Served(ctx, name)
	if err != nil {
		return errkind.MarkUnavailable(err)
	}
	if _, ok := d.account(name); !ok && !served {
		return errkind.Usagef("account %s is not in the configuration: it goes on when it is back there", name)
	}
	if err := d.limits.Resume(ctx, name); err != nil {
		return errkind.MarkUnavailable(err)
	}
	if err := d.queue.SetPaused(ctx, name, false, false); err != nil {
		return errkind.MarkUnavailable(err)
	}
	return nil
}

// state is one account as it is now.
func (d *accountDesk) state(ctx context.Context, name string) (extraction.AccountState, error) {
	s, err := d.limits.State(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	load, err := d.records.Load(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	used, err := d.limits.Used(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	out := extraction.AccountState{
		Name: name, State: extraction.AccountActive, Queued: load.Queued, InFlight: load.InFlight,
		OldestQueuedAt: extraction.Time{Time: load.Oldest}, RateUsed: used,
	}
	if t := s.LastError; t.Code != "" {
		out.LastError = &extraction.Trouble{
			Code: extraction.Code(t.Code), Message: t.Message,
			At: extraction.Time{Time: t.At}, OverAt: extraction.Time{Time: t.Over},
		}
	}
	if s.Reason != limiter.Active {
		out.State, out.Reason, out.Since = extraction.AccountPaused, extraction.Null(s.Reason), extraction.Time{Time: s.Since}
		if s.Reason != limiter.Operator {
			out.NextProbeAt = extraction.Time{Time: s.ProbeAt}
		}
	}
	served, err := d.limits.Served(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	if !served && load.Queued+load.InFlight > 0 {
		since := load.Oldest
		if since.IsZero() { // All of it is at the vendor.
			since = time.Now().UTC()
		}
		out.LastError = &extraction.Trouble{
			Code: extraction.CodeNoWorker, Message: unservedText([]string{name}), At: extraction.Time{Time: since},
		}
	}
	known, registered, err := d.records.Known(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	a, ok := d.account(name)
	if served && registered { // Who works for it knows better than who looks.
		out.Provider, out.Rate = extraction.Null(known.Provider), &known.Rate
		return out, nil
	}
	if !ok && served {
		return out, nil
	}
	if !ok {
		// Whoever took it out of the configuration stopped it, and only a person
		// can bring it back; nothing is probed meanwhile.
		out.State, out.Reason, out.NextProbeAt = extraction.AccountPaused, extraction.Null(limiter.Operator), extraction.Time{}
		if s.Reason != limiter.Operator {
			out.Since = extraction.Time{}
		}
		return out, nil
	}
	rate := float64(a.Rate)
	out.Provider, out.Rate = extraction.Null(a.Provider), &rate
	return out, nil
}
