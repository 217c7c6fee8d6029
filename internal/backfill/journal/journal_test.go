package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
)

func journalIn(t *testing.T, out string) *Journal {
	t.Helper()
	j, err := Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() }) // Again, mostly.
	return j
}

func reopened(t *testing.T, j *Journal) *Journal {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return journalIn(t, filepath.Dir(j.dir))
}

func (j *Journal) begun(t *testing.T, e Entry) Entry {
	t.Helper()
	e, err := j.Begin(e, "whole/"+e.Name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (j *Journal) found(t *testing.T, want Entry) (Entry, Progress) {
	t.Helper()
	e, p, ok, err := j.Find(want)
	if err != nil || !ok {
		t.Fatalf("Find(%+v) = %v, %v", want, ok, err)
	}
	return e, p
}

func sampleEntry(n string) Entry {
	return Entry{Name: n + ".pdf", Path: `"/in/` + n + `.pdf"`, SHA256: "sum" + n, Request: "q", ID: "01" + n}
}

func noted(t *testing.T, j *Journal, id string, b intake.Begun) {
	t.Helper()
	if err := j.Note(id, b); err != nil {
		t.Fatal(err)
	}
}

// TestJournalFinds what was begun, by its place or its name, in this run and in
// the next.
func TestJournalFinds(t *testing.T) {
	t.Parallel()
	j := journalIn(t, t.TempDir())
	a, b := j.begun(t, sampleEntry("a")), j.begun(t, sampleEntry("b"))
	if err := j.Accepted(a.ID); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	noted(t, j, a.ID, intake.Begun{SentAt: at})
	noted(t, j, a.ID, intake.Begun{VendorID: "v1", SubmittedAt: at})
	noted(t, j, "unknown", intake.Begun{VendorID: "v2"})
	j.Ended(a.ID)
	noted(t, j, a.ID, intake.Begun{}) // Too late to change anything.
	for range 2 {
		moved := a
		moved.Path = `"/elsewhere/a.pdf"`
		renamed := a
		renamed.Name = "other.pdf"
		for _, want := range []Entry{a, moved, renamed} {
			e, p := j.found(t, want)
			if diff := cmp.Diff(a, e); diff != "" {
				t.Errorf("entry (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(Progress{ID: a.ID, Accepted: true, VendorID: "v1", SubmittedAt: at}, p); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		}
		if _, p := j.found(t, b); p != (Progress{ID: b.ID}) {
			t.Errorf("what has not got anywhere has got to %+v", p)
		}
		for _, differs := range []func(*Entry){
			func(e *Entry) { e.SHA256 = "x" }, func(e *Entry) { e.Request = "x" },
			func(e *Entry) { e.Name, e.Path = "x", "x" },
		} {
			e := a
			differs(&e)
			if got, _, ok, err := j.Find(e); ok || err != nil {
				t.Errorf("Find(%+v) = %+v, %v", e, got, err)
			}
		}
		j = reopened(t, j)
	}
}

// TestJournalForgets what was refused.
func TestJournalForgets(t *testing.T) {
	t.Parallel()
	j := journalIn(t, t.TempDir())
	a := j.begun(t, sampleEntry("a"))
	if err := j.Void(a); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, ok, err := j.Find(a); ok || err != nil {
			t.Errorf("found a refused one: %v", err)
		}
		j = reopened(t, j)
	}
	again := sampleEntry("a")
	again.ID = "02"
	j.begun(t, again)
	if e, _ := j.found(t, a); e.ID != "02" {
		t.Errorf("found %+v, want the later one", e)
	}
}

// TestJournalNames gives each path a name of its own, and keeps it.
func TestJournalNames(t *testing.T) {
	t.Parallel()
	j := journalIn(t, t.TempDir())
	for i, want := range []string{"x.pdf", "whole/x.pdf", "whole/x.pdf-2", "x.pdf"} {
		e := Entry{Name: "x.pdf", Path: []string{"1", "2", "3", "1"}[i], SHA256: string(rune('a' + i)), ID: string(rune('a' + i))}
		if got := j.begun(t, e); got.Name != want {
			t.Errorf("%d is called %q, want %q", i, got.Name, want)
		}
		j = reopened(t, j)
	}
}

// TestJournalAfterACrash has half a line at its end, and is written on.
func TestJournalAfterACrash(t *testing.T) {
	t.Parallel()
	j := journalIn(t, t.TempDir())
	a := j.begun(t, sampleEntry("a"))
	whole := j.size
	j.begun(t, sampleEntry("b"))
	file := filepath.Join(j.dir, "journal.ndjson")
	if err := os.Truncate(file, j.size-1); err != nil {
		t.Fatal(err)
	}
	peeked, err := Peek(filepath.Dir(j.dir))
	if err != nil {
		t.Fatal(err)
	}
	peeked.found(t, a)
	if err := peeked.Close(); err != nil {
		t.Fatal(err)
	}
	j = reopened(t, j)
	if j.size != whole {
		t.Errorf("it ends at %d, want %d", j.size, whole)
	}
	j.found(t, a)
	if _, _, ok, _ := j.Find(sampleEntry("b")); ok {
		t.Error("half a line is found")
	}
	c := j.begun(t, sampleEntry("c"))
	j = reopened(t, j)
	j.found(t, c)
}

// TestJournalAndFullDisk writes over the half line that a full disk has left.
func TestJournalAndFullDisk(t *testing.T) {
	t.Parallel()
	j := journalIn(t, t.TempDir())
	j.begun(t, sampleEntry("a"))
	if _, err := j.file.WriteAt([]byte(`{"name":"half of a much longer line than the one that comes, without its end`+strings.Repeat("x", 500)), j.size); err != nil {
		t.Fatal(err)
	}
	b := j.begun(t, sampleEntry("b"))
	j = reopened(t, j)
	j.found(t, b)
}

// TestJournalPassesOverDamage reads what is left around lines that are damaged, and names
// them.
func TestJournalPassesOverDamage(t *testing.T) {
	t.Parallel()
	j := journalIn(t, t.TempDir())
	a := j.begun(t, sampleEntry("a"))
	for _, damage := range []string{"nonsense\n", "{}\n", "null\n", "\x00\x00\x00"} {
		if _, err := j.file.WriteAt([]byte(damage), j.size); err != nil {
			t.Fatal(err)
		}
		j.size += int64(len(damage))
	}
	b := j.begun(t, sampleEntry("b"))
	for range 2 {
		j = reopened(t, j)
		for _, e := range []Entry{a, b} {
			if got, _ := j.found(t, e); got != e {
				t.Errorf("found %+v, want %+v", got, e)
			}
		}
		if diff := cmp.Diff([]int{2, 3, 4}, j.damaged); diff != "" {
			t.Errorf("damaged lines (-want +got):\n%s", diff)
		}
		if said := j.Damage(); !strings.Contains(said, "journal.ndjson") || !strings.Contains(said, "line 2, 3, 4;") {
			t.Errorf("it says %q", said)
		}
	}
}

// TestJournalIsForOne run at a time; to look at it is for all.
func TestJournalIsForOne(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	j := journalIn(t, out)
	a := j.begun(t, sampleEntry("a"))
	if _, err := Open(out); !isUsage(err) {
		t.Errorf("%v, want a usage error", err)
	}
	p, err := Peek(out)
	if err != nil {
		t.Fatal(err)
	}
	p.found(t, a)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err := Peek(filepath.Join(out, "new")); err != nil || p.size != 0 {
		t.Errorf("a new folder: %v", err)
	} else if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(out, "new")); !os.IsNotExist(err) {
		t.Errorf("a look has made something: %v", err)
	}
}

func isUsage(err error) bool {
	return errkind.Of(err) == errkind.Usage
}

// TestJournalKeepsUploadURLs apart, as long as they are needed and only where
// Redis would forget them.
func TestJournalKeepsUploadURLs(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{false, true} {
		j := journalIn(t, t.TempDir())
		j.Durable = durable
		a := j.begun(t, sampleEntry("a"))
		expires := time.Now().Add(time.Minute).UTC().Truncate(time.Second)
		noted(t, j, a.ID, intake.Begun{VendorID: "v1", UploadURL: "https://u.test/?sig=s3cret", UploadExpires: expires})
		j = reopened(t, j)
		j.Durable = durable
		_, p := j.found(t, a)
		want := intake.Begun{VendorID: "v1", UploadExpires: expires}
		if durable {
			want.UploadURL = "https://u.test/?sig=s3cret"
		}
		if diff := cmp.Diff(want, j.Begun(p)); diff != "" {
			t.Errorf("durable=%v (-want +got):\n%s", durable, diff)
		}
		body, err := os.ReadFile(filepath.Join(j.dir, "journal.ndjson"))
		if err != nil || strings.Contains(string(body), "s3cret") {
			t.Errorf("the journal has the secret, %v", err)
		}
		j.Resume(p)
		noted(t, j, a.ID, intake.Begun{VendorID: "v1", SubmittedAt: expires})
		if left, err := filepath.Glob(filepath.Join(j.dir, "uploads", "*")); err != nil || len(left) > 0 {
			t.Errorf("left: %q, %v", left, err)
		}
	}
}

// TestJournalTogether is told by many at once.
func TestJournalTogether(t *testing.T) {
	t.Parallel()
	j := journalIn(t, t.TempDir())
	j.Durable = true
	var wg sync.WaitGroup
	entries := make([]Entry, 40)
	for i := range entries {
		wg.Go(func() {
			e, err := j.Begin(sampleEntry(string(rune('A'+i))), "w")
			entries[i] = e
			if err == nil {
				err = errors.Join(j.Accepted(e.ID), j.Note(e.ID, intake.Begun{VendorID: "v" + e.ID, SubmittedAt: time.Now()}))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	j = reopened(t, j)
	for _, e := range entries {
		if _, p := j.found(t, e); p.VendorID != "v"+e.ID || !p.Accepted {
			t.Errorf("%s has got to %+v", e.ID, p)
		}
	}
}
