package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/store"
)

func redeliverCommand() *cli.Command {
	return &cli.Command{
		Name:      "redeliver",
		Usage:     "call the producers of extractions back again, and print their ids",
		ArgsUsage: "[ID…]",
		Description: `Each extraction that has ended and has a callback is delivered again, whatever came
of it so far: with the event id it had, at once, and for 72 hours more. The workers
do it. With a filter it asks first; --yes answers.

Examples:

   extractq redeliver 01JD0Z3M9V7Q8W2R5T6Y4X1C0B
   extractq redeliver --batch monday --dry-run
   extractq redeliver --customer acme --since 24h --yes`,
		Flags: changeFlags(),
		Action: func(c *cli.Context) error {
			return change{
				verb: "redeliver", done: "redelivered", open: app.OpenRecords,
				refuse: func(_ context.Context, _ backend.Backend, e extraction.Extraction) error {
					return intake.Redeliverable(e)
				},
				do: func(ctx context.Context, p backend.Backend, e extraction.Extraction) (string, any, error) {
					next, err := p.Redeliver(ctx, e)
					return e.ID, next, err
				},
				// Stale is one that was redelivered or erased at this moment.
				refusals: []error{intake.ErrNotFinal, intake.ErrNoCallback, store.ErrStale},
			}.run(c)
		},
	}
}
