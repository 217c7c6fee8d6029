//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/render"
)

// TestResultOfItsOwnPath tells trouble with one result's path from trouble with --out.
func TestResultOfItsOwnPath(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if err := os.MkdirAll(filepath.Join(out, "dir.json", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "sub"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a folder stands there": "dir.json", "a file is where a folder is needed": "sub/x.json"} {
		if err := writeResult(filepath.Join(out, path), extraction.Extraction{}, nil); !isOfPath(err) {
			t.Errorf("%s: %v, want it to be that document's", name, err)
		}
	}
	if isOfPath(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}) || isOfPath(nil) {
		t.Error("a full disk is taken for one document's trouble")
	}
}

// TestResultUnderAnotherName writes a result whose own name no file can have, and the
// journal knows it by the other one: by its place, and by the name it was to have.
func TestResultUnderAnotherName(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	b := &backfill{runConfig: runConfig{out: t.TempDir()}}
	b.Console = render.NewConsole(io.Discard, &said)
	b.journal = journalIn(t, b.out)
	if err := os.WriteFile(filepath.Join(b.out, "sub"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := sampleEntry("a")
	blocked.Name = "sub/a b.pdf"
	blocked = b.journal.begun(t, blocked)
	later := b.journal.begun(t, sampleEntry("b")) // Its place is taken when it is written.
	if err := os.MkdirAll(filepath.Join(b.out, "b.pdf.json", "y.pdf"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, e := range []entry{blocked, later} {
		write := func(name string) error {
			return writeResult(b.resultFile(name), extraction.Extraction{ID: e.ID, Status: extraction.StatusSuccess}, nil)
		}
		if err := b.writeOut(e.Name, e.ID, write); err != nil {
			t.Fatal(err)
		}
		moved := e
		moved.Path = `"/moved.pdf"`
		for range 2 {
			for _, want := range []entry{e, moved} {
				got, p := b.journal.found(t, want)
				if got.Name == e.Name || strings.ContainsAny(got.Name, "/ ") || ending(b.resultFile(got.Name), got, p) != endedWell {
					t.Errorf("%s is found as %+v", e.Name, got)
				}
			}
			b.journal = reopened(t, b.journal)
		}
	}
	if n := strings.Count(said.String(), "its result is in"); n != 2 {
		t.Errorf("it says %q", said.String())
	}
	unknown := func(name string) error {
		return writeResult(b.resultFile(name), extraction.Extraction{ID: "unknown"}, nil)
	}
	if err := b.writeOut("sub/z.pdf", "unknown", unknown); !isOfPath(err) {
		t.Errorf("what the journal does not know: %v", err)
	}
}

// TestNamesThatAFileSystemTakesForOne differ in case or in the form of an accent. Where
// the file system of --out makes no difference, no result is written over another.
func TestNamesThatAFileSystemTakesForOne(t *testing.T) {
	t.Parallel()
	names := []string{"Invoice.PDF", "invoice.pdf", "\u00c4.pdf", "A\u0308.pdf", "\u00e4.pdf", "in. /x.pdf", "IN/x.pdf", "stra\u00dfe.pdf", "STRASSE.pdf"}
	for _, folds := range []bool{true, false} {
		j := journalIn(t, t.TempDir())
		j.fold = func(name string) string { return name }
		if folds {
			j.fold = foldName
		}
		given := map[string]string{}
		for i, name := range names {
			e := j.begun(t, entry{Name: name, Path: strconv.Itoa(i), SHA256: "x", ID: strconv.Itoa(i)})
			if other, taken := given[j.fold(e.Name)]; taken {
				t.Errorf("folds=%v: %q is where %q is", folds, e.Name, other)
			}
			given[j.fold(e.Name)] = name
			if !folds && e.Name != name {
				t.Errorf("%q is called %q", name, e.Name)
			}
		}
	}
	dir := t.TempDir()
	folds := foldsNames(dir)
	if _, err := os.Stat(filepath.Join(dir, ".PROBE-\u00c4")); err == nil {
		t.Errorf("the probe stays (folds names: %v)", folds)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestResultOfAnotherDocumentStays where the journal does not know whose it is.
func TestResultOfAnotherDocumentStays(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	j := journalIn(t, out)
	write := func(name, sum string) {
		if err := writeResult(resultPath(out, name), extraction.Extraction{ID: "1", Document: extraction.Document{SHA256: extraction.Null(sum)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	write("a.pdf", "another's")
	write("b.pdf", "sumb")
	if err := os.Mkdir(resultPath(out, "c.pdf"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "whole/a.pdf", "b": "b.pdf", "c": "whole/c.pdf", "d": "d.pdf"} {
		if got := j.begun(t, sampleEntry(name)); got.Name != want {
			t.Errorf("%s.pdf is called %s, want %s", name, got.Name, want)
		}
	}
	long := sampleEntry("e")
	long.Name = strings.Repeat("n", 250) + ".pdf"
	if got := j.begun(t, long); tooLong(got.Name) || got.Name != plainName(long) {
		t.Errorf("a long name becomes %q", got.Name)
	}
}

// TestResultIsItsOwnersOnly: results hold what documents hold, whatever the umask lets through.
func TestResultIsItsOwnersOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sub", "a.pdf.json")
	for range 2 { // The second replaces a file.
		if err := writeResult(path, extraction.Extraction{ID: "01A", Status: extraction.StatusSuccess}, nil); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s has the mode %v, want %v", filepath.Base(name), got, want)
			}
		}
	}
}
