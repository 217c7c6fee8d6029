package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
)

func cancelCommand() *cli.Command {
	return &cli.Command{
		Name:      "cancel",
		Usage:     "end extractions as CANCELED, and print their ids",
		ArgsUsage: "[ID…]",
		Description: `What the vendor has begun goes on there, and is charged. What is final stays as it
is. With a filter it asks first; --yes answers.

Examples:

   extractq cancel 01JD0Z3M9V7Q8W2R5T6Y4X1C0B
   extractq cancel --batch monday --dry-run
   extractq cancel --batch monday --status QUEUED --yes`,
		Flags: changeFlags(),
		Action: func(c *cli.Context) error {
			return change{
				verb: "cancel", done: "canceled", open: app.OpenRecords,
				refuse: func(_ context.Context, _ backend.Backend, e extraction.Extraction) error {
					if e.Status.Final() {
						return backend.Refusal(fmt.Sprintf("it is %s already", e.Status))
					}
					return nil
				},
				do: func(ctx context.Context, p backend.Backend, e extraction.Extraction) (string, any, error) {
					next, err := p.Cancel(ctx, e)
					return e.ID, next, err
				},
			}.run(c)
		},
	}
}
