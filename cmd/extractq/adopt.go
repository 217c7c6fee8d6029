package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/internal/submitter"
)

func adoptCommand() *cli.Command {
	return &cli.Command{
		Name:      "adopt",
		Usage:     "follow extractions that something else submitted, and print their ids",
		ArgsUsage: "VENDOR_ID…|@FILE",
		Description: `Takes the vendor's own ids, or a file of them with one a line (@- reads standard
input). Nothing is submitted: the workers poll for the results. What is followed
already keeps its id, so that the same command again does no harm.

Examples:

   extractq adopt --account acme --type tax_forms 14d82783-45a7-4f1c-9d7b-0c2f5a6f8e11
   extractq adopt --account acme --type invoices --batch rescue @ids.txt
   extractq watch --batch rescue`,
		Flags: append(adoptedFlags(), &cli.BoolFlag{Name: "json", Usage: "print extractions in place of ids"}),
		Action: func(c *cli.Context) error {
			cfg, err := load(c, slog.LevelWarn)
			if err != nil {
				return err
			}
			if !c.Args().Present() {
				return errkind.Usagef("adopt: name at least one id of the vendor's; see extractq adopt --help")
			}
			job, err := readInputs(c, cfg)
			if err != nil {
				return err
			}
			p, err := cfg.openFor(c.Context, job)
			if err != nil {
				return err
			}
			defer p.Close()
			failed, named := false, false
			for _, arg := range c.Args().Slice() {
				err := documents.EachID(c.Context, c.App.Reader, arg, func(vendorID string) error {
					named = true
					err := adoptOne(c, cfg, p, job, vendorID)
					if errors.Is(err, extraction.ErrInvalid) {
						failed = true
						cfg.Say("%s: %s", render.Escape(vendorID), render.OneLine(err))
						return nil
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			if !named {
				return errkind.Usagef("there is no id in what was named")
			}
			if failed {
				return errkind.New(errkind.Failed, errkind.ErrReported)
			}
			return nil
		},
	}
}

// adoptedFlags are the input flags that mean something for what is submitted
// already.
func adoptedFlags() []cli.Flag {
	kept := []string{"account", "provider", "type", "types", "customer", "batch", "metadata"}
	return slices.DeleteFunc(inputFlags(), func(f cli.Flag) bool { return !slices.Contains(kept, f.Names()[0]) })
}

// adoptOne follows one id of the vendor's, and prints ours.
func adoptOne(c *cli.Context, cfg settings, p backend.Backend, job submitter.Job, vendorID string) error {
	e, followed, err := p.Adopt(c.Context, job.Template, vendorID)
	if followed && err == nil {
		cfg.Say("%s is followed already as %s", render.Escape(vendorID), e.ID)
	}
	switch {
	case err != nil:
		return err
	case c.Bool("json"):
		return render.WriteJSON(cfg.Out, e)
	}
	_, err = fmt.Fprintln(cfg.Out, e.ID)
	return err
}
