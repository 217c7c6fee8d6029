package journal

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backfill/results"
)

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
			e := j.begun(t, Entry{Name: name, Path: strconv.Itoa(i), SHA256: "x", ID: strconv.Itoa(i)})
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
		if err := results.Write(results.Path(out, name), extraction.Extraction{ID: "1", Document: extraction.Document{SHA256: extraction.Null(sum)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	write("a.pdf", "another's")
	write("b.pdf", "sumb")
	if err := os.Mkdir(results.Path(out, "c.pdf"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "whole/a.pdf", "b": "b.pdf", "c": "whole/c.pdf", "d": "d.pdf"} {
		if got := j.begun(t, sampleEntry(name)); got.Name != want {
			t.Errorf("%s.pdf is called %s, want %s", name, got.Name, want)
		}
	}
	long := sampleEntry("e")
	long.Name = strings.Repeat("n", 250) + ".pdf"
	if got := j.begun(t, long); results.TooLong(got.Name) || got.Name != PlainName(long) {
		t.Errorf("a long name becomes %q", got.Name)
	}
}
