package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/urfave/cli/v2"

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
				return usage("recover takes no arguments; see extractq recover --help")
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
	s, err := withStore(c.Context, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	n := 0
	err = s.records.Lost(c.Context, s.blobs, store.AcceptedFor, func(a store.Accepted) error {
		if account := c.String("account"); account != "" && a.Account != account {
			return nil
		}
		if !c.Bool("dry-run") {
			_, err := s.client.Recover(c.Context, a)
			if errors.Is(err, store.ErrExists) {
				return nil // Another process has recovered it.
			}
			if err != nil {
				return err
			}
		}
		n++
		if c.Bool("json") {
			return printJSON(c.App.Writer, a)
		}
		_, err := fmt.Fprintln(c.App.Writer, a.ID)
		return err
	})
	if err != nil {
		return unavailable(err)
	}
	switch {
	case n == 0:
		cfg.say("nothing is lost")
	case c.Bool("dry-run"):
		cfg.say("%s lost; without --dry-run they are recovered", plural(n))
	default:
		cfg.say("%s recovered", plural(n))
	}
	return nil
}
