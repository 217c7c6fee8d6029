package render

import (
	"errors"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/extractq/extractq/extraction"
)

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	if out, ok := w.(output); ok {
		w = out.w
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// output is standard output. Its errors can be told from all others.
type output struct{ w io.Writer }

// NewOutput marks the errors of w.
func NewOutput(w io.Writer) io.Writer { return output{w} }

func (o output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		err = OutputError{err}
	}
	return n, err
}

// OutputError means that a result could not be printed.
type OutputError struct{ err error }

func (e OutputError) Error() string { return "results cannot be printed: " + e.err.Error() }
func (e OutputError) Unwrap() error { return e.err }

// IsOutputError reports whether a result could not be printed.
func IsOutputError(err error) bool {
	_, ok := errors.AsType[OutputError](err)
	return ok
}

// Discard is a Printer that prints nothing.
type Discard struct{}

// Print does nothing.
func (Discard) Print(extraction.Extraction) error { return nil }

// Close does nothing.
func (Discard) Close() error { return nil }
