package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/render"
)

func deleteCommand() *cli.Command {
	return &cli.Command{
		Name:      "delete",
		Usage:     "erase extractions with their documents and results, and print their ids",
		ArgsUsage: "[ID…]",
		Description: `Erases document, result, record, events and tasks; a running one is canceled
first. What the vendor keeps is not erased: it is named on standard error, and
with --json as vendor_id. With a filter it asks first; --yes answers.

Examples:

   extractq delete 01JD0Z3M9V7Q8W2R5T6Y4X1C0B
   extractq delete --customer acme --dry-run
   extractq delete --customer acme --until 720h --yes`,
		Flags: changeFlags(),
		Action: func(c *cli.Context) error {
			return change{
				verb: "delete", done: "deleted", open: app.OpenStore,
				refuse: func(context.Context, backend.Backend, extraction.Extraction) error { return nil },
				do: func(ctx context.Context, p backend.Backend, e extraction.Extraction) (string, any, error) {
					left, err := p.Delete(ctx, e)
					if err != nil {
						return e.ID, nil, err
					}
					switch {
					case left.Token != "":
						_, err = fmt.Fprintf(c.App.ErrWriter, "extractq: %s: %s may have it, with %s in its name; delete it there\n",
							e.ID, left.Provider, left.Token)
					case left.VendorID != "":
						_, err = fmt.Fprintf(c.App.ErrWriter, "extractq: %s: %s still has it as %s; delete it there\n",
							e.ID, left.Provider, render.Escape(string(left.VendorID)))
					}
					return e.ID, left, err
				},
				gone: func(ctx context.Context, p backend.Backend, id string) (bool, error) { return p.Erased(ctx, id) },
				end:  func(ctx context.Context, p backend.Backend) error { return p.Forget(ctx) },
			}.run(c)
		},
	}
}
