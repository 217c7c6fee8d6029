package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/intake"
)

func retryCommand() *cli.Command {
	return &cli.Command{
		Name:      "retry",
		Usage:     "repeat extractions that did not end with SUCCESS, and print the new ids",
		ArgsUsage: "[ID…]",
		Description: `Each is repeated as a new extraction, once. Where the vendor may have the old one
after all (deadline_exceeded, submit_uncertain, result_too_large, CANCELED, or polls
that only failed) it is asked for that first, and a result found there is taken over:
nothing is paid twice. --resubmit submits in any case. With a filter it asks first; --yes answers.

A SUCCESS whose stored result is damaged or gone (result_unavailable) keeps its id:
the result is fetched from the vendor again, and nothing is submitted.

Examples:

   extractq retry 01JD0Z3M9V7Q8W2R5T6Y4X1C0B
   extractq retry --batch monday --status ERROR --dry-run
   extractq retry --error deadline_exceeded --since 24h --yes`,
		Flags: append(changeFlags(),
			&cli.BoolFlag{Name: "resubmit", Usage: "submit, and pay, again without asking the vendor for the old one"}),
		Action: func(c *cli.Context) error {
			return change{
				verb: "retry", done: "retried", open: app.OpenStore,
				refuse: func(ctx context.Context, p backend.Backend, e extraction.Extraction) error {
					return p.Retryable(ctx, e, c.Bool("dry-run"))
				},
				do: func(ctx context.Context, p backend.Backend, e extraction.Extraction) (string, any, error) {
					next, err := p.Retry(ctx, e, c.Bool("resubmit"))
					return next.ID, next, err
				},
				refusals: []error{intake.ErrNotFinal, intake.ErrSucceeded, intake.ErrRetried, intake.ErrDocumentGone},
			}.run(c)
		},
	}
}
