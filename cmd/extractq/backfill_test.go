package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/follow"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// TestSlotsAreGivenBackOnce lets two documents share one extraction, which ends once.
func TestSlotsAreGivenBackOnce(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	b := &backfill{Services: &app.Services{}, room: make(chan struct{}, 3), watched: map[string]followed{}}
	b.Console = render.NewConsole(io.Discard, &said)
	b.shown = render.NewProgress(&said, false, 3, time.Now)
	defer b.shown.Close()
	records, err := store.NewRecords(redistest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	if b.follow, err = follow.New(t.Context(), follow.Config{Records: records}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.room <- struct{}{}
	}
	b.watch("01A", "a.pdf")
	b.watch("01A", "copy/a.pdf")
	for range 2 { // The second time it is not waited for any more, and must not block.
		if err := b.finished(t.Context(), store.Record{Input: store.Input{ID: "01A"}}, true); err != nil {
			t.Fatal(err)
		}
	}
	if left := len(b.room); left != 1 { // Another document's.
		t.Errorf("%d slots are taken, want 1", left)
	}
	if n := b.shown.Finished(); n != 2 {
		t.Errorf("%d documents are finished, want 2", n)
	}
}

// TestRepetitionAsksFirst checks what the journal has of a repetition: after a crash the
// vendor is still asked for the old extraction before anything is paid again.
func TestRepetitionAsksFirst(t *testing.T) {
	t.Parallel()
	b := &backfill{runConfig: runConfig{out: t.TempDir()}}
	b.journal = journalIn(t, b.out)
	sent := time.UnixMilli(1_700_000_000_000).UTC()
	old := b.journal.begun(t, sampleEntry("a"))
	late := extraction.Extraction{
		ID: old.ID, Status: extraction.StatusError,
		Error: extraction.NewFailure(extraction.CodeDeadlineExceeded, "late", nil),
	}
	if err := writeResult(b.resultFile(old.Name), late, nil); err != nil {
		t.Fatal(err)
	}
	begun := intake.Repeats(b.past(old, progressed{ID: old.ID, VendorID: "v1", SentAt: sent}))
	want := intake.Begun{RetryOf: old.ID, Sought: old.ID, VendorID: "v1", SentAt: sent}
	if diff := cmp.Diff(want, begun); diff != "" {
		t.Errorf("the repetition begins elsewhere (-want +got):\n%s", diff)
	}
	next := old
	next.ID = "01b"
	if _, err := b.journal.Repeat(next, "whole", progressOf(next.ID, begun)); err != nil {
		t.Fatal(err)
	}
	b.journal = reopened(t, b.journal)
	e, p := b.journal.found(t, sampleEntry("a"))
	if diff := cmp.Diff(want, b.journal.Begun(p)); e.ID != next.ID || diff != "" {
		t.Errorf("found %+v (-want +got):\n%s", e, diff)
	}
	if got := ending(b.resultFile(e.Name), e, p); got != atVendor {
		t.Errorf("ending = %v, want it to be asked for", got)
	}
}

// TestEnding reads what an earlier run left of a document. A SUCCESS without its result is
// no good end, and none that --retry-failed may pay for again.
func TestEnding(t *testing.T) {
	t.Parallel()
	lost := extraction.NewFailure(extraction.CodeResultUnavailable, "x", nil)
	failed := extraction.NewFailure(extraction.CodeVendorFailed, "x", nil)
	b := &backfill{runConfig: runConfig{out: t.TempDir()}}
	sent := progressed{VendorID: "v1", SubmittedAt: time.UnixMilli(1_700_000_000_000)}
	for name, tt := range map[string]struct {
		e    extraction.Extraction
		done progressed
		want oldState
	}{
		"success":           {extraction.Extraction{ID: "01A", Status: extraction.StatusSuccess}, sent, endedWell},
		"its result lost":   {extraction.Extraction{ID: "01A", Status: extraction.StatusSuccess, Error: lost, Vendor: extraction.Vendor{ID: "v1"}}, sent, withoutResult},
		"an error":          {extraction.Extraction{ID: "01A", Status: extraction.StatusError, Error: failed}, sent, endedBadly},
		"another's success": {extraction.Extraction{ID: "01B", Status: extraction.StatusSuccess}, sent, atVendor},
		"another's":         {extraction.Extraction{ID: "01B", Status: extraction.StatusSuccess}, progressed{}, neverSent},
	} {
		file := b.resultFile(name)
		if err := writeResult(file, tt.e, nil); err != nil {
			t.Fatal(err)
		}
		if got := ending(file, entry{ID: "01A"}, tt.done); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

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
