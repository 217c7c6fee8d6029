package backfill

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/backfill/results"
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
	b := &Backfill{Services: &app.Services{}, slots: make(chan struct{}, 3), watched: map[string]watched{}, refusals: newRefusals()}
	b.Console = render.NewConsole(io.Discard, &said)
	b.progress = render.NewProgress(&said, false, 3, time.Now)
	defer b.progress.Close()
	records, err := store.NewRecords(redistest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	if b.follow, err = follow.New(t.Context(), follow.Config{Records: records}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.slots <- struct{}{}
	}
	b.watch("01A", "a.pdf")
	b.watch("01A", "copy/a.pdf")
	for range 2 { // The second time it is not waited for any more, and must not block.
		if err := b.finished(t.Context(), store.Record{Input: store.Input{ID: "01A"}}, true); err != nil {
			t.Fatal(err)
		}
	}
	if left := len(b.slots); left != 1 { // Another document's.
		t.Errorf("%d slots are taken, want 1", left)
	}
	if n := b.progress.Finished(); n != 2 {
		t.Errorf("%d documents are finished, want 2", n)
	}
}

// TestRepetitionAsksFirst checks what the journal has of a repetition: after a crash the
// vendor is still asked for the old extraction before anything is paid again.
func TestRepetitionAsksFirst(t *testing.T) {
	t.Parallel()
	b := &Backfill{Config: Config{Out: t.TempDir()}}
	b.journal = journalIn(t, b.Out)
	sent := time.UnixMilli(1_700_000_000_000).UTC()
	old := begun(t, b.journal, "a.pdf")
	late := extraction.Extraction{
		ID: old.ID, Status: extraction.StatusError,
		Error: extraction.NewFailure(extraction.CodeDeadlineExceeded, "late", nil),
	}
	if err := results.Write(b.resultFile(old.Name), late, nil); err != nil {
		t.Fatal(err)
	}
	begun := intake.Repeats(b.reconstructed(old, journal.Progress{ID: old.ID, VendorID: "v1", SentAt: sent}))
	want := intake.Begun{RetryOf: old.ID, Sought: old.ID, VendorID: "v1", SentAt: sent}
	if diff := cmp.Diff(want, begun); diff != "" {
		t.Errorf("the repetition begins elsewhere (-want +got):\n%s", diff)
	}
	next := old
	next.ID = "01b"
	if _, err := b.journal.Repeat(next, "whole", journal.ProgressOf(next.ID, begun)); err != nil {
		t.Fatal(err)
	}
	reopen(t, b)
	e, p := found(t, b.journal, sampleEntry("a.pdf"))
	if diff := cmp.Diff(want, b.journal.Begun(p)); e.ID != next.ID || diff != "" {
		t.Errorf("found %+v (-want +got):\n%s", e, diff)
	}
	if got := stateOf(b.resultFile(e.Name), e, p); got != stateAtVendor {
		t.Errorf("state = %v, want it to be asked for", got)
	}
}

// TestStateOf reads what an earlier run left of a document. A SUCCESS without its result is
// not complete, and yet --retry-failed may not pay for it again.
func TestStateOf(t *testing.T) {
	t.Parallel()
	lost := extraction.NewFailure(extraction.CodeResultUnavailable, "x", nil)
	failed := extraction.NewFailure(extraction.CodeVendorFailed, "x", nil)
	b := &Backfill{Config: Config{Out: t.TempDir()}}
	sent := journal.Progress{VendorID: "v1", SubmittedAt: time.UnixMilli(1_700_000_000_000)}
	for name, tt := range map[string]struct {
		e    extraction.Extraction
		done journal.Progress
		want state
	}{
		"success":           {extraction.Extraction{ID: "01A", Status: extraction.StatusSuccess}, sent, stateSucceeded},
		"its result lost":   {extraction.Extraction{ID: "01A", Status: extraction.StatusSuccess, Error: lost, Vendor: extraction.Vendor{ID: "v1"}}, sent, stateResultMissing},
		"an error":          {extraction.Extraction{ID: "01A", Status: extraction.StatusError, Error: failed}, sent, stateFailed},
		"another's success": {extraction.Extraction{ID: "01B", Status: extraction.StatusSuccess}, sent, stateAtVendor},
		"another's":         {extraction.Extraction{ID: "01B", Status: extraction.StatusSuccess}, journal.Progress{}, stateNeverSent},
	} {
		file := b.resultFile(name)
		if err := results.Write(file, tt.e, nil); err != nil {
			t.Fatal(err)
		}
		if got := stateOf(file, journal.Entry{ID: "01A"}, tt.done); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
