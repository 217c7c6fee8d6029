package main

import (
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

func listCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "print extractions without their results, the newest first",
		Description: `Examples:

   extractq list --limit 20
   extractq list --server http://127.0.0.1:8080 --limit 20
   extractq list --batch monday --status ERROR --status EXPIRED
   extractq list --since 24h --error deadline_exceeded --format csv`,
		Flags: append(filterFlags(),
			&cli.IntFlag{Name: "limit", Usage: "print at most `N`; 0 means all"},
			&cli.StringFlag{Name: "format", Usage: "table, json, ndjson or csv"},
			&cli.BoolFlag{Name: "json", Usage: "the same as --format ndjson"},
		),
		Action: func(c *cli.Context) error {
			cfg, err := load(c, slog.LevelWarn)
			if err != nil {
				return err
			}
			if c.Args().Present() {
				return errkind.Usagef("list takes filters, no arguments; see extractq list --help")
			}
			if c.Int("limit") < 0 {
				return errkind.Usagef("--limit: %d is less than 0", c.Int("limit"))
			}
			p, err := choosePrinter(c, cfg.Out, render.List)
			if err != nil {
				return err
			}
			from, err := cfg.open(c.Context, app.OpenRecords)
			if err != nil {
				return err
			}
			defer from.Close()
			all, err := from.Accounts(c.Context)
			if err != nil {
				return err
			}
			f, err := readFilter(c, all)
			if err != nil {
				return err
			}
			err = printList(c, from, f, p)
			if closeErr := p.Close(); err == nil {
				err = closeErr
			}
			return err
		},
	}
}

// printList prints what a filter chooses, as it is read.
func printList(c *cli.Context, from backend.Backend, f extraction.Filter, p render.Printer) error {
	n := 0
	for e, err := range from.List(c.Context, f) {
		if err != nil {
			return err
		}
		if err := p.Print(e); err != nil {
			return err
		}
		if n++; n == c.Int("limit") {
			break
		}
	}
	return nil
}
