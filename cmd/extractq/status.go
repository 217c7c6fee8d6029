package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "print an extraction as JSON, without its result",
		ArgsUsage: "ID",
		Description: `Example:

   extractq status 01JD0Z3M9V7Q8W2R5T6Y4X1C0B`,
		Action: func(c *cli.Context) error {
			return withRecord(c, openRecords, func(_ *services, r store.Record) error {
				return printJSON(c.App.Writer, r.Extraction())
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
			return withRecord(c, withStore, func(svc *services, r store.Record) error {
				if r.Status != extraction.StatusSuccess {
					return exitError{exitFailed, fmt.Errorf("%s has no result: it is %s", r.ID, r.Status)}
				}
				e, err := withResult(c.Context, svc.blobs, r)
				if err != nil {
					return err
				}
				return printJSON(c.App.Writer, e.Result)
			})
		},
	}
}

// withRecord finds the one extraction that the arguments name.
func withRecord(c *cli.Context, open openFunc, use func(*services, store.Record) error) error {
	cfg, err := load(c, slog.LevelWarn)
	if err != nil {
		return err
	}
	if c.NArg() != 1 {
		return usage("%s takes one id; see extractq %[1]s --help", c.Command.Name)
	}
	svc, err := open(c.Context, cfg)
	if err != nil {
		return err
	}
	defer svc.Close()
	id := c.Args().First()
	found, err := svc.find(c.Context, cfg, id)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return noExtraction(id)
	}
	return use(svc, found[0])
}

// printJSON writes one value and a line feed.
func printJSON(w io.Writer, v any) error {
	line, err := jsonLine(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
