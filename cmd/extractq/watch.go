package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

func watchCommand() *cli.Command {
	return &cli.Command{
		Name:      "watch",
		Usage:     "follow extractions until all of them are final, and print each",
		ArgsUsage: "[ID…]",
		Description: `Examples:

   extractq watch --batch monday
   extractq watch 01JD0Z3M9V7Q8W2R5T6Y4X1C0B --timeout 10m`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "batch", Usage: "follow everything in a batch"},
			&cli.StringFlag{Name: "format", Usage: "table, json, ndjson or csv"},
			&cli.BoolFlag{Name: "json", Usage: "the same as --format ndjson"},
			&cli.DurationFlag{Name: "timeout", Usage: "stop waiting after `DURATION` with exit code 4"},
		},
		Action: func(c *cli.Context) error {
			cfg, err := load(c, slog.LevelWarn)
			if err != nil {
				return err
			}
			if c.Args().Present() == (c.String("batch") != "") {
				return errkind.Usagef("watch takes either ids or --batch; see extractq watch --help")
			}
			p, err := cfg.open(c.Context, app.OpenStore)
			if err != nil {
				return err
			}
			defer p.Close()
			accounts, err := p.Accounts(c.Context)
			if err != nil {
				return err
			}
			f, err := p.Follow(c.Context, accounts)
			if err != nil {
				return err
			}
			n, err := watched(c, p, f)
			if err != nil {
				return err
			}
			return followAll(c, cfg, p, f, n)
		},
	}
}

// watched adds to f what the arguments name and counts it. Unknown ids are
// errors: waiting for them would never end.
func watched(c *cli.Context, p backend.Backend, f backend.Watcher) (int, error) {
	if batch := c.String("batch"); batch != "" {
		n := 0
		for e, err := range p.List(c.Context, extraction.Filter{Batch: batch}) {
			if err != nil {
				return 0, err
			}
			f.Watch(e.Account, e.ID)
			n++
		}
		if n == 0 {
			return 0, errkind.New(errkind.Failed, fmt.Errorf("there is no extraction in a batch %q", batch))
		}
		return n, nil
	}
	for _, id := range c.Args().Slice() {
		e, ok, err := p.Find(c.Context, id)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, backend.NoExtraction(id)
		}
		f.Watch(e.Account, id)
	}
	return len(f.Waiting()), nil
}

// followAll prints each extraction of f when it is final, and says of which accounts it
// waits for a worker.
func followAll(c *cli.Context, cfg settings, source backend.Backend, f backend.Watcher, total int) error {
	ctx := c.Context
	if d := c.Duration("timeout"); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d,
			errkind.New(errkind.Timeout, fmt.Errorf("timeout of %v passed; the work goes on", d)))
		defer cancel()
	}
	p, err := choosePrinter(c, cfg.Out, render.Results)
	if err != nil {
		return err
	}
	bar, endProgress := cfg.Progress(total)
	defer endProgress()
	endLook := backend.SayUnserved(ctx, source, f, cfg.Say)
	defer endLook()
	failed := 0
	err = f.Run(ctx, func() bool { return len(f.Waiting()) == 0 }, func(e extraction.Extraction, gone bool) error {
		if gone {
			failed++
			bar.Done(render.Tally{Code: extraction.CodeCanceled})
			cfg.Say("%s was erased while it was waited for", e.ID)
			return nil
		}
		bar.Done(render.TallyOf(e))
		if e.Error != nil {
			failed++
			cfg.Say("%s: %s", e.ID, e.Error.Code)
		}
		return p.Print(e)
	})
	if closeErr := p.Close(); err == nil && closeErr != nil {
		return closeErr
	}
	if err == nil && failed > 0 {
		return errkind.New(errkind.Failed, errkind.ErrReported)
	}
	return err
}
