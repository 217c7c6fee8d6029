package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/doctor"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

func recoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "recover",
		Usage: "re-create the records that Redis has lost from the document store, and print their ids",
		Description: `What was accepted is noted in the document store too, and what was sent to the vendor.
Where Redis has no record of it any more, after a failover, a crash or an older
backup, this writes the record anew. A worker then asks the vendor for what was
sent, and submits the rest. It does no harm while workers run, nor twice.

What was accepted in the last minute may be having its record written: give the command
again a minute later where it says that there are such: it exits 1 then.

What was canceled in the time that Redis has lost is carried out after all.

Examples:

   extractq recover --dry-run
   extractq recover`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "account", Usage: "only the extractions of account `NAME`"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print the ids of what is lost, and change nothing"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON objects in place of ids"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return errkind.Usagef("recover takes no arguments; see extractq recover --help")
			}
			cfg, err := load(c, slog.LevelWarn)
			if err != nil {
				return err
			}
			return recoverLost(c, cfg)
		},
	}
}

func recoverLost(c *cli.Context, cfg settings) error {
	s, err := app.OpenStore(c.Context, cfg.Process)
	if err != nil {
		return err
	}
	defer s.Close()
	only := c.String("account")
	if err := knownAccount(c.Context, cfg, s, only); err != nil {
		return err
	}
	n, failed := 0, 0
	err = s.Records.Lost(c.Context, s.Blobs, store.AcceptedFor, func(a store.Accepted) error {
		if only != "" && a.Account != only {
			return nil
		}
		if !c.Bool("dry-run") {
			_, err := s.Client.Recover(c.Context, a)
			switch {
			case errors.Is(err, store.ErrExists):
				return nil // Another process has recovered it.
			case errors.Is(err, store.ErrFollowed): // It keeps back no other.
				failed++
				cfg.Say("%s is not recovered: %v", a.ID, err)
				return nil
			case err != nil:
				return err
			}
		}
		n++
		if c.Bool("json") {
			return render.WriteJSON(c.App.Writer, a)
		}
		_, err := fmt.Fprintln(c.App.Writer, a.ID)
		return err
	})
	if err != nil {
		return errkind.MarkUnavailable(err)
	}
	switch {
	case failed > 0:
		return errkind.New(errkind.Failed, fmt.Errorf("%s recovered, and %d not", render.Extractions(n), failed))
	case n == 0:
		cfg.Say("nothing is lost")
	case c.Bool("dry-run"):
		cfg.Say("%s lost; without --dry-run they are recovered", render.Extractions(n))
	default:
		cfg.Say("%s recovered", render.Extractions(n))
	}
	young, err := doctor.Unsettled(c.Context, s.Records, s.Blobs, only)
	if young > 0 {
		const left = "%s accepted in the last minute without a record yet; give the same command again in a minute"
		if !c.Bool("dry-run") {
			return errkind.New(errkind.Failed, fmt.Errorf(left, render.Extractions(young)))
		}
		cfg.Say(left, render.Extractions(young))
	}
	return err
}

// knownAccount refuses a name that neither the configuration nor Redis has: a typing error
// would look like an account that has lost nothing. After Redis has lost everything the
// configuration alone has it.
func knownAccount(ctx context.Context, cfg settings, s *app.Services, name string) error {
	all, err := s.Accounts(ctx, cfg.Accounts)
	if err != nil {
		return err
	}
	if name != "" && !slices.Contains(all, name) {
		return errkind.Usagef("--account: no account is called %q: the accounts are %s", name, strings.Join(all, ", "))
	}
	return nil
}
