package main

import (
	"io"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
)

// newOutput is where a command prints extractions. Without a format it prints
// NDJSON, or a table on a terminal where table says so.
func newOutput(c *cli.Context, w io.Writer, table bool) (printer, error) {
	f, err := chooseFormat(c.String("format"), c.Bool("json"), table && isTerminal(c.App.Writer))
	if err != nil {
		return nil, errkind.New(errkind.Usage, err)
	}
	return newPrinter(w, f), nil
}

// isTerminal reports whether somebody looks at w.
func isTerminal(w io.Writer) bool {
	if out, ok := w.(output); ok {
		w = out.w
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// output is standard output; its errors can be told from all others.
type output struct{ w io.Writer }

func (o output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		err = outputError{err}
	}
	return n, err
}

// outputError says that a result could not be printed.
type outputError struct{ err error }

func (e outputError) Error() string { return "results cannot be printed: " + e.err.Error() }
func (e outputError) Unwrap() error { return e.err }

// silent prints nothing.
type silent struct{}

func (silent) Print(extraction.Extraction) error { return nil }
func (silent) Close() error                      { return nil }
