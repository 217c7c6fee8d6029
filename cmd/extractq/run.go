package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/backfill"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "take documents through a vendor and write their results",
		ArgsUsage: "DOCUMENT…",
		Description: `The main job in one process: submits every DOCUMENT, waits, writes the results
and shows progress. With no Redis given it brings its own.
` + documentHelp + `

With --out DIR the whole extraction goes to DIR/NAME.json, and the same command
again does what is left. Without it, results are printed as NDJSON.

Examples:

   extractq run --provider sandbox --type tax_forms examples/
   extractq run --provider sandbox --type invoices --out results examples/invoice.pdf
   extractq run --account acme --type tax_forms --out results inbox/ more/1040.pdf
   extractq run --account acme --type tax_forms --out results 'scans/**/*.pdf' @more.txt
   extractq run --account acme --type tax_forms --name 1040.pdf - <1040.pdf
   extractq run --account acme --type tax_forms --out results --rate 1/s --dry-run inbox/`,
		Flags: append(inputFlags(),
			&cli.StringFlag{Name: "out", Usage: "write results to `DIR`, and resume from there"},
			&cli.StringFlag{Name: "format", Usage: "print results as table, json, ndjson or csv"},
			&cli.BoolFlag{Name: "json", Usage: "the same as --format ndjson"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what there is to do, what it takes, and do nothing"},
			&cli.IntFlag{Name: "limit", Usage: "take only the first `N` documents"},
			&cli.StringFlag{Name: "rate", Usage: "calls to the vendor, as in `10/s`, in place of the account's"},
			&cli.BoolFlag{Name: "retry-failed", Usage: "repeat what an earlier run did not end with SUCCESS, and ask the vendor first where it may have it"},
			&cli.DurationFlag{Name: "timeout", Usage: "stop waiting after `DURATION` with exit code 4"},
			acceptEmpty(),
		),
		Action: func(c *cli.Context) error {
			level := slog.LevelWarn
			if render.IsTerminal(c.App.ErrWriter) {
				level = slog.LevelError // The status line says the rest.
			}
			cfg, err := load(c, level)
			if err != nil {
				return err
			}
			cfg.BriefOutages()
			if !c.Args().Present() {
				return errkind.Usagef("run: name at least one document; see extractq run --help")
			}
			job, err := readInputs(c, cfg)
			if err != nil {
				return err
			}
			if c.Int("limit") < 0 || c.IsSet("limit") && c.Int("limit") == 0 {
				return errkind.Usagef("--limit: want a number of documents from 1 on")
			}
			if s := c.String("rate"); s != "" {
				if job.Account.Rate, err = config.ParseRate(s); err != nil {
					return errkind.Usagef("--rate: %w", err)
				}
			}
			ctx := c.Context
			if d := c.Duration("timeout"); d > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, d,
					errkind.New(errkind.Timeout, fmt.Errorf("timeout of %v passed; the same command again goes on", d)))
				defer cancel()
			}
			docs, err := documents.Find(ctx, c.Args().Slice(), c.String("name"), c.Int("limit"), cfg.API.MaxDocument, c.App.Reader)
			if err != nil {
				return err
			}
			defer docs.Close()
			bc := backfill.Config{
				Process: cfg.Process, Console: cfg.Console, Job: job, Documents: docs, Out: c.String("out"), RetryFailed: c.Bool("retry-failed"),
				Terminal: render.IsTerminal(c.App.ErrWriter),
			}
			if bc.Terminal {
				bc.Hasten = enterKeys(c.App.Reader, c.Args().Slice())
			}
			if bc.Out == "" || c.String("format") != "" || c.Bool("json") {
				if bc.Print, err = choosePrinter(c, cfg.Out, render.Results); err != nil {
					return err
				}
			}
			b, err := backfill.New(bc)
			if err != nil {
				return err
			}
			if c.Bool("dry-run") {
				return printPlan(ctx, c, b)
			}
			return b.Run(ctx)
		},
	}
}

// printPlan prints what the run would do.
func printPlan(ctx context.Context, c *cli.Context, b *backfill.Backfill) error {
	p, err := b.Plan(ctx)
	if err != nil {
		return err
	}
	if f := render.Format(c.String("format")); c.Bool("json") || f == render.JSON || f == render.NDJSON {
		err = render.WriteJSON(c.App.Writer, p)
	} else {
		err = p.WriteText(c.App.Writer)
	}
	if err == nil && p.Refused > 0 {
		err = errkind.New(errkind.Failed, errkind.ErrReported)
	}
	return err
}
