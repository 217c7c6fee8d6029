package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
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
				return usage("watch takes either ids or --batch; see extractq watch --help")
			}
			svc, err := open(c.Context, cfg, false)
			if err != nil {
				return err
			}
			defer svc.Close()
			accounts, err := svc.accounts(c.Context, cfg)
			if err != nil {
				return err
			}
			f, err := newFollower(c.Context, svc.records, accounts)
			if err != nil {
				return err
			}
			n, err := watched(c, svc, f, accounts)
			if err != nil {
				return err
			}
			return followAll(c, cfg, svc, f, n)
		},
	}
}

// watched adds to f what the arguments name and counts it. Unknown ids are
// errors: waiting for them would never end.
func watched(c *cli.Context, svc *services, f *follower, accounts []string) (int, error) {
	n := 0
	if batch := c.String("batch"); batch != "" {
		for _, account := range accounts {
			ids, err := svc.records.Batch(c.Context, account, batch)
			if err != nil {
				return 0, unavailable(err)
			}
			for _, id := range ids {
				f.Watch(account, id)
			}
			n += len(ids)
		}
		if n == 0 {
			return 0, exitError{exitFailed, fmt.Errorf("there is no extraction in a batch %q", batch)}
		}
		return n, nil
	}
	for _, id := range c.Args().Slice() {
		found, err := svc.records.GetAll(c.Context, accounts, id)
		if err != nil {
			return 0, unavailable(err)
		}
		if len(found) == 0 {
			return 0, noExtraction(id)
		}
		f.Watch(found[0].Account, id)
	}
	return len(f.Waiting()), nil
}

// followAll prints each extraction of f when it is final.
func followAll(c *cli.Context, cfg settings, svc *services, f *follower, total int) error {
	ctx := c.Context
	if d := c.Duration("timeout"); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d,
			exitError{exitTimeout, fmt.Errorf("timeout of %v passed; the work goes on", d)})
		defer cancel()
	}
	p, err := newOutput(c, cfg.stdout, true)
	if err != nil {
		return err
	}
	bar, endProgress := cfg.progress(total)
	defer endProgress()
	failed := 0
	err = f.Run(ctx, func() bool { return len(f.Waiting()) == 0 }, func(r store.Record, gone bool) error {
		if gone {
			failed++
			bar.Done(extraction.StatusError)
			cfg.say("%s was erased while it was waited for", r.ID)
			return nil
		}
		e, err := withResult(ctx, svc.blobs, r)
		if err != nil {
			return err
		}
		bar.Done(e.Status)
		if e.Error != nil {
			failed++
			cfg.say("%s: %s", e.ID, e.Error.Code)
		}
		return p.Print(e)
	})
	if closeErr := p.Close(); err == nil && closeErr != nil {
		return closeErr
	}
	if err == nil && failed > 0 {
		return exitError{exitFailed, errReported}
	}
	return err
}
