package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

// TestLinesShowWhatTheyHold writes what would move a terminal's cursor, or turn its
// text around, in a line and in an error.
func TestLinesShowWhatTheyHold(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	render.NewConsole(io.Discard, &said).Say("%s: %s", "x.pdf", "\x1b[31mred\a\u202e")
	report(&said, errkind.Usagef("a \x1b[2J\nb \u202e"))
	if strings.ContainsAny(said.String(), "\x1b\a\u202e") || strings.Count(said.String(), "\n") != 3 {
		t.Errorf("said %q", said.String())
	}
}
