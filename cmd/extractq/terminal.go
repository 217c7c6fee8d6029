package main

import (
	"io"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/extractq/extractq/extraction"
)

// newOutput is where a command prints extractions. Without --format it prints
// them only where that is its purpose.
func newOutput(c *cli.Context, wanted bool) (printer, error) {
	if !wanted && c.String("format") == "" && !c.Bool("json") {
		return silent{}, nil
	}
	f, err := chooseFormat(c.String("format"), c.Bool("json"), isTerminal(c.App.Writer))
	if err != nil {
		return nil, exitError{exitUsage, err}
	}
	return newPrinter(c.App.Writer, f), nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// silent prints nothing.
type silent struct{}

func (silent) Print(extraction.Extraction) error { return nil }
func (silent) Close() error                      { return nil }
