package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/store"
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
			touched := map[string]bool{} // The accounts.
			return change{
				verb: "delete", done: "deleted", open: withStore,
				refuse: func(context.Context, *services, store.Record) error { return nil },
				do: func(ctx context.Context, svc *services, r store.Record) (string, any, error) {
					left, err := svc.client.Delete(ctx, r.Account, r.ID)
					if err != nil {
						return r.ID, nil, err
					}
					touched[r.Account] = true
					switch {
					case left.Token != "":
						_, err = fmt.Fprintf(c.App.ErrWriter, "extractq: %s: %s may have it, with %s in its name; delete it there\n",
							r.ID, left.Provider, left.Token)
					case left.VendorID != "":
						_, err = fmt.Fprintf(c.App.ErrWriter, "extractq: %s: %s still has it as %s; delete it there\n",
							r.ID, left.Provider, visible(string(left.VendorID)))
					}
					return r.ID, left, err
				},
				gone: func(ctx context.Context, svc *services, accounts []string, id string) (bool, error) {
					for _, account := range accounts {
						if erased, err := svc.records.Erased(ctx, account, id); erased || err != nil {
							touched[account] = true // The one before may have died in the middle.
							return erased, err
						}
					}
					return false, nil
				},
				end: func(ctx context.Context, svc *services) error {
					for account := range touched {
						if err := svc.client.ForgetEvents(ctx, account); err != nil {
							return err
						}
					}
					return nil
				},
			}.run(c)
		},
	}
}
