package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

// choosePrinter is where a command prints extractions: a table on a terminal and NDJSON
// elsewhere, unless a flag asks for a format.
func choosePrinter(c *cli.Context, w io.Writer, v render.View) (render.Printer, error) {
	f, err := render.ChooseFormat(c.String("format"), c.Bool("json"), render.IsTerminal(c.App.Writer))
	if err != nil {
		return nil, errkind.New(errkind.Usage, err)
	}
	return render.NewPrinter(w, f, v, render.ScreenOf(c.App.Writer)), nil
}
