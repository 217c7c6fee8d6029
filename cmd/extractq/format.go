package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

// choosePrinter is where a command prints extractions. Without a format it prints
// NDJSON, or a table on a terminal where table says so.
func choosePrinter(c *cli.Context, w io.Writer, table bool) (render.Printer, error) {
	f, err := render.ChooseFormat(c.String("format"), c.Bool("json"), table && render.IsTerminal(c.App.Writer))
	if err != nil {
		return nil, errkind.New(errkind.Usage, err)
	}
	return render.NewPrinter(w, f), nil
}
