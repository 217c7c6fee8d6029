package backfill

import (
	"testing"

	"github.com/extractq/extractq/internal/backfill/journal"
)

func journalIn(t *testing.T, out string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() }) // A second time, mostly.
	return j
}

// reopen closes the journal of a run, and opens it as the next run does.
func reopen(t *testing.T, b *Backfill) {
	t.Helper()
	if err := b.journal.Close(); err != nil {
		t.Fatal(err)
	}
	b.journal = journalIn(t, b.Out)
}

func begun(t *testing.T, j *journal.Journal, name string) journal.Entry {
	t.Helper()
	e, err := j.Begin(sampleEntry(name), "whole/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func found(t *testing.T, j *journal.Journal, want journal.Entry) (journal.Entry, journal.Progress) {
	t.Helper()
	e, p, ok, err := j.Find(want)
	if err != nil || !ok {
		t.Fatalf("Find(%+v) = %v, %v", want, ok, err)
	}
	return e, p
}

func sampleEntry(name string) journal.Entry {
	return journal.Entry{Name: name, Path: `"/in/` + name + `"`, SHA256: "sum" + name, Request: "q", ID: "01" + name[:1]}
}
