package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/store"
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
				verb: "cancel", done: "canceled", open: openRecords,
				refuse: func(_ context.Context, _ *services, r store.Record) error {
					if r.Status.Final() {
						return refusal(fmt.Sprintf("it is %s already", r.Status))
					}
					return nil
				},
				do: func(ctx context.Context, svc *services, r store.Record) (string, any, error) {
					e, err := svc.client.Cancel(ctx, r.Account, r.ID)
					return r.ID, e, err
				},
			}.run(c)
		},
	}
}
