package main

import (
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/doctor"
	"github.com/extractq/extractq/internal/errkind"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check the configuration, Redis, the document store and every account, and say what to fix",
		Description: `One line a check: "ok", "note" (it works, but you should know), "fix" (what to
change) or "away" (what does not answer). Each account costs one free call.
Exit code 0 where there is nothing to fix, 2 with a "fix", 3 with an "away" alone.

Examples:

   extractq doctor
   extractq doctor --json
   extractq doctor --no-vendors
   extractq doctor --deep`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line: check, state, message"},
			&cli.BoolFlag{Name: "no-vendors", Usage: "ask no vendor, as a container's health check should not"},
			&cli.BoolFlag{Name: "deep", Usage: "compare all records with their indexes and the document store, and read every document and result"},
			&cli.StringFlag{Name: "healthz", Usage: "check only that the server at `URL` answers, such as http://127.0.0.1:8080/healthz"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return errkind.Usagef("doctor takes no arguments")
			}
			found, err := examine(c)
			if err != nil {
				return err
			}
			if err := doctor.Write(c.App.Writer, c.Bool("json"), found); err != nil {
				return err
			}
			return doctor.Verdict(found)
		},
	}
}

// examine makes the checks that the flags ask for.
func examine(c *cli.Context) ([]doctor.Finding, error) {
	if c.IsSet("healthz") {
		return doctor.CheckServer(c.Context, c.String("healthz"))
	}
	cfg, err := load(c, slog.LevelWarn)
	if err != nil {
		return doctor.Misconfigured(err), nil
	}
	return doctor.Check(c.Context, doctor.Config{
		Process: cfg.Process, File: configFile(c.String("config")), Vendors: !c.Bool("no-vendors"), Deep: c.Bool("deep"),
	})
}
