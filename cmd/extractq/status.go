package main

import (
	"fmt"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "print an extraction as JSON, without its result",
		ArgsUsage: "ID",
		Description: `Example:

   extractq status 01JD0Z3M9V7Q8W2R5T6Y4X1C0B`,
		Action: func(c *cli.Context) error {
			return withOne(c, app.OpenRecords, func(_ backend.Backend, e extraction.Extraction) error {
				return render.WriteJSON(c.App.Writer, e)
			})
		},
	}
}

func resultCommand() *cli.Command {
	return &cli.Command{
		Name:      "result",
		Usage:     "print the result of a successful extraction as JSON",
		ArgsUsage: "ID",
		Description: `Example:

   extractq result 01JD0Z3M9V7Q8W2R5T6Y4X1C0B`,
		Action: func(c *cli.Context) error {
			return withOne(c, app.OpenStore, func(p backend.Backend, e extraction.Extraction) error {
				if e.Status != extraction.StatusSuccess {
					return errkind.New(errkind.Failed, fmt.Errorf("%s has no result: it is %s", e.ID, e.Status))
				}
				result, err := p.Result(c.Context, e)
				if err != nil {
					return err
				}
				return render.WriteJSON(c.App.Writer, result)
			})
		},
	}
}

// withOne finds the one extraction that the arguments name.
func withOne(c *cli.Context, open app.OpenFunc, use func(backend.Backend, extraction.Extraction) error) error {
	cfg, err := load(c, slog.LevelWarn)
	if err != nil {
		return err
	}
	if c.NArg() != 1 {
		return errkind.Usagef("%s takes one id; see extractq %[1]s --help", c.Command.Name)
	}
	p, err := cfg.open(c.Context, open)
	if err != nil {
		return err
	}
	defer p.Close()
	id := c.Args().First()
	e, ok, err := p.Find(c.Context, id)
	if err != nil {
		return err
	}
	if !ok {
		return backend.NoExtraction(id)
	}
	return use(p, e)
}
