package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

func TestGetAll(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := r.create(), r.create()
	other := testInput()
	other.Account = "other"
	if _, err := r.s.Create(t.Context(), other, Creation{Token: NewToken()}); err != nil {
		t.Fatal(err)
	}
	got, err := r.s.GetAll(t.Context(), []string{"acme", "other"}, b.Input.ID, "none", other.ID, a.Input.ID)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, rec := range got {
		ids = append(ids, rec.ID)
	}
	if diff := cmp.Diff([]string{b.Input.ID, other.ID, a.Input.ID}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	_, err = r.s.Get(t.Context(), "acme", other.ID)
	r.want("Get of another account's", err, ErrNotFound)
	if got, err := r.s.GetAll(t.Context(), []string{"acme"}); err != nil || len(got) != 0 {
		t.Errorf("GetAll of nothing = %v, %v", got, err)
	}
	ids, err = r.s.Batch(t.Context(), "acme", "b1")
	if err != nil || !cmp.Equal(ids, []string{a.Input.ID, b.Input.ID}) {
		t.Errorf("Batch = %v, %v, want both, oldest first", ids, err)
	}
}

func TestNewerRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.create()
	r.hset(f, fieldVersion, recordVersion+1)
	_, err := r.s.Get(t.Context(), "acme", f.Input.ID)
	r.want("Get", err, ErrNewer)
	_, err = r.s.Begin(t.Context(), f, extraction.StepSubmit, testLease)
	r.want("Begin", err, ErrNewer)
}

func TestDue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	waiting, held, final := r.create(), r.begin(r.create()).Fence, r.finished(extraction.StatusSuccess)
	if got, _, err := r.s.Due(t.Context(), "acme", 10); err != nil || len(got) != 0 {
		t.Errorf("Due = %+v, %v, want nothing yet", got, err)
	}
	for i, id := range []string{held.Input.ID, "gone", final.Input.ID, waiting.Input.ID} {
		if err := r.rdb.ZAdd(t.Context(), r.k.due(), z(float64(i), id)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	got, now, err := r.s.Due(t.Context(), "acme", 10)
	if err != nil || time.Since(now).Abs() > time.Minute {
		t.Fatalf("Due at %v, %v", now, err)
	}
	want := []Glance{
		{ID: held.Input.ID, Status: extraction.StatusSubmitting, Seq: 1, Step: extraction.StepSubmit, Held: true, Lease: r.get(held).Lease, Due: r.get(held).Due},
		{ID: "gone", Gone: true},
		{ID: final.Input.ID, Status: extraction.StatusSuccess, Seq: 3},
		{ID: waiting.Input.ID, Status: extraction.StatusQueued, Seq: 1, Step: extraction.StepSubmit, Due: r.get(waiting).Due},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	if got, _, err := r.s.Due(t.Context(), "acme", 2); err != nil || len(got) != 2 || got[0].ID != held.Input.ID {
		t.Errorf("Due(2) = %+v, %v, want the two most overdue", got, err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cursor, err := r.s.EventCursor(t.Context(), "acme")
	if err != nil || cursor != "0-0" {
		t.Errorf("EventCursor = %q, %v, want 0-0", cursor, err)
	}
	f := r.create()
	first, err := r.s.Events(t.Context(), "acme", cursor, 10)
	if err != nil || len(first) != 1 || first[0].ID != f.Input.ID || first[0].Status != extraction.StatusQueued {
		t.Fatalf("Events = %+v, %v, want the creation", first, err)
	}
	if cursor, err = r.s.EventCursor(t.Context(), "acme"); err != nil || cursor != first[0].Cursor {
		t.Errorf("EventCursor = %q, %v, want %q", cursor, err, first[0].Cursor)
	}
	r.begin(f)
	second, err := r.s.Events(t.Context(), "acme", cursor, 10)
	if err != nil || len(second) != 1 || second[0].Status != extraction.StatusSubmitting {
		t.Errorf("Events after it = %+v, %v, want the submission", second, err)
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ask := func(want ...string) {
		t.Helper()
		got, err := r.s.Unknown(t.Context(), "acme", []string{"a", "b"})
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("Unknown = %v, %v, want %v", got, err, want)
		}
	}
	ask("a", "b")
	if err := r.s.NoteForeign(t.Context(), "acme", "a", ""); err != nil {
		t.Fatal(err)
	}
	ask("b")
	if got, err := r.s.Unknown(t.Context(), "acme", nil); err != nil || got != nil {
		t.Errorf("Unknown of nothing = %v, %v", got, err)
	}
}

func TestRecordExtraction(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := Record{
		Input: testInput(), Status: extraction.StatusInProgress, Step: extraction.StepPoll,
		Because: extraction.BecauseScheduled, Due: at, VendorID: "v1", Polls: 2, Attempts: 1,
	}
	e := r.Extraction()
	if e.Next == nil || e.Next.Step != extraction.StepPoll || !e.Next.At.Equal(at) || e.Priority != extraction.PriorityNormal ||
		e.Metadata == nil || e.Options == nil || e.Vendor.ID != "v1" {
		t.Errorf("in progress: %+v", e)
	}
	r.Status = extraction.StatusSuccess
	if e := r.Extraction(); e.Next == nil || e.Next.Step != extraction.StepPoll || e.Settled() || r.Settled() {
		t.Errorf("a SUCCESS whose result is fetched again: %+v", e)
	}
	for _, s := range []extraction.Status{
		extraction.StatusSuccess, extraction.StatusError, extraction.StatusExpired, extraction.StatusCanceled,
	} {
		if r.Status = s; s == extraction.StatusSuccess {
			r.Step = ""
		} else {
			r.Step = extraction.StepPoll
		}
		if !r.Settled() {
			t.Errorf("%s is not settled", s)
		}
		if e := r.Extraction(); e.Next != nil {
			t.Errorf("%s has a next step %+v", s, e.Next)
		}
	}
}

// A failure whose details JSON has no form for still ends the extraction.
func TestUnencodableFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.begin(r.polling()).Fence
	failure := extraction.NewFailure(extraction.CodeVendorFailed, "m", func() {})
	if _, err := r.s.Finish(t.Context(), f, extraction.StatusError, testKept, new(Change).Failure(failure)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(f).Failure; got == nil || got.Code != extraction.CodeInternal {
		t.Errorf("failure %s, want internal", fmt.Sprint(got))
	}
}
