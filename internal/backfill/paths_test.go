//go:build unix

package backfill

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/backfill/results"
	"github.com/extractq/extractq/internal/render"
)

// TestResultUnderAnotherName writes a result whose own name no file can have, and the
// journal knows it by the other one: by its place, and by the name it was to have.
func TestResultUnderAnotherName(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	b := &Backfill{Config: Config{Out: t.TempDir()}}
	b.Console = render.NewConsole(io.Discard, &said)
	b.journal = journalIn(t, b.Out)
	if err := os.WriteFile(filepath.Join(b.Out, "sub"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := begun(t, b.journal, "sub/a b.pdf")
	later := begun(t, b.journal, "b.pdf") // Its place is taken when it is written.
	if err := os.MkdirAll(filepath.Join(b.Out, "b.pdf.json", "y.pdf"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, e := range []journal.Entry{blocked, later} {
		write := func(name string) error {
			return results.Write(b.resultFile(name), extraction.Extraction{ID: e.ID, Status: extraction.StatusSuccess}, nil)
		}
		if err := b.writeOut(e.Name, e.ID, write); err != nil {
			t.Fatal(err)
		}
		moved := e
		moved.Path = `"/moved.pdf"`
		for range 2 {
			for _, want := range []journal.Entry{e, moved} {
				got, p := found(t, b.journal, want)
				if got.Name == e.Name || strings.ContainsAny(got.Name, "/ ") || stateOf(b.resultFile(got.Name), got, p) != stateSucceeded {
					t.Errorf("%s is found as %+v", e.Name, got)
				}
			}
			reopen(t, b)
		}
	}
	if n := strings.Count(said.String(), "its result is in"); n != 2 {
		t.Errorf("it says %q", said.String())
	}
	unknown := func(name string) error {
		return results.Write(b.resultFile(name), extraction.Extraction{ID: "unknown"}, nil)
	}
	if err := b.writeOut("sub/z.pdf", "unknown", unknown); !results.IsOfPath(err) {
		t.Errorf("what the journal does not know: %v", err)
	}
}
