package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// late makes an extraction that ended because the vendor was late.
func (r *rig) late(w *Worker) string {
	r.t.Helper()
	id := r.polling(w, "late", 2*time.Hour)
	if _, err := w.poll(r.t.Context(), r.payload(id)); err != nil {
		r.t.Fatal(err)
	}
	if got := r.get(id); got.Failure == nil || got.Failure.Code != extraction.CodeDeadlineExceeded {
		r.t.Fatalf("%s ended %s %+v", id, got.Status, got.Failure)
	}
	return id
}

// repeat repeats an extraction and carries out the first step of the repetition.
func (r *rig) repeat(w *Worker, id string) store.Record {
	r.t.Helper()
	e, err := r.client.Retry(r.t.Context(), "acme", id, false)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := w.submit(r.t.Context(), r.payload(e.ID)); err != nil {
		r.t.Fatal(err)
	}
	return r.get(e.ID)
}

// The vendor is asked for the old extraction first; it is paid again only where
// that came to nothing.
func TestRetryAsksFirst(t *testing.T) {
	t.Parallel()
	trouble := func(kind extraction.Kind) error {
		return &extraction.Error{Op: "poll", Kind: kind, Err: errors.New("trouble")}
	}
	for name, tt := range map[string]struct {
		out     extraction.Outcome
		err     error
		status  extraction.Status
		vendor  string
		submits int
		phase   store.Phase
	}{
		"finished":    {done(), nil, extraction.StatusSuccess, "v1", 1, ""},
		"in progress": {pending(), nil, extraction.StatusInProgress, "v1", 1, ""},
		"failed":      {extraction.Outcome{Status: extraction.StatusError}, nil, extraction.StatusInProgress, "v2", 2, ""},
		"expired":     {extraction.Outcome{Status: extraction.StatusExpired}, nil, extraction.StatusInProgress, "v2", 2, ""},
		// It is unknown yet: nothing is decided.
		"empty":        {waiting(), nil, extraction.StatusSubmitting, "v1", 1, store.PhaseRecheck},
		"unknown":      {extraction.Outcome{}, trouble(extraction.KindNotFound), extraction.StatusSubmitting, "v1", 1, store.PhaseRecheck},
		"refused":      {extraction.Outcome{}, trouble(extraction.KindRejected), extraction.StatusSubmitting, "v1", 1, store.PhaseRecheck},
		"trouble":      {extraction.Outcome{}, trouble(extraction.KindTransient), extraction.StatusSubmitting, "v1", 1, store.PhaseRecheck},
		"unauthorized": {extraction.Outcome{}, trouble(extraction.KindUnauthorized), extraction.StatusSubmitting, "v1", 1, store.PhaseRecheck},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
				if n == 1 {
					return pending(), nil // Too late for the original.
				}
				return tt.out, tt.err
			}
			r := newRig(t, v)
			w := r.worker()
			got := r.repeat(w, r.late(w))
			if got.Status != tt.status || got.Status.Final() && got.Sought != "" || got.VendorID != tt.vendor || v.submits != tt.submits || got.Phase != tt.phase {
				t.Errorf("the repetition is %s in phase %q with vendor id %q after %d submissions, want %s, %q, %q, %d",
					got.Status, got.Phase, got.VendorID, v.submits, tt.status, tt.phase, tt.vendor, tt.submits)
			}
			// Its deadline is its own.
			if got.Status == extraction.StatusInProgress && time.Since(got.SubmittedAt) > time.Minute {
				t.Errorf("submitted at %v", got.SubmittedAt)
			}
		})
	}
}

// A submission whose answer was lost for good is looked for under its name when it
// is repeated.
func TestRetryOfUncertain(t *testing.T) {
	t.Parallel()
	for _, listed := range []bool{true, false} {
		v := newVendor()
		var name string
		v.onSubmit = func(n int, s extraction.Submission) error {
			if n > 1 {
				return nil
			}
			name = s.Name
			return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
		}
		r := newRig(t, v)
		w := r.worker()
		id := r.submit("x")
		for range 2 {
			if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			r.hset(id, "unc", ago(time.Second), "sent", ago(w.cfg.UncertainWindow))
		}
		if got := r.get(id); got.Failure == nil || got.Failure.Code != extraction.CodeSubmitUncertain {
			t.Fatalf("ended %s %+v", got.Status, got.Failure)
		}
		wantVendor, wantSubmits := "v2", 2
		if listed {
			v.ready = []extraction.ReadyItem{{VendorID: "other", Name: "x"}, {VendorID: "found", Name: name}}
			wantVendor, wantSubmits = "found", 1
		}
		got := r.repeat(w, id)
		if got.VendorID != wantVendor || v.submits != wantSubmits {
			t.Errorf("listed %v: vendor id %q after %d submissions, want %q after %d", listed, got.VendorID, v.submits, wantVendor, wantSubmits)
		}
	}
}

// What another extraction's search finds of one that has been given up is kept for
// its repetition, and is not taken for foreign.
func TestFoundAfterTheEnd(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var first string
	v.onSubmit = func(_ int, s extraction.Submission) error {
		if first == "" {
			first = s.Name
		}
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	r := newRig(t, v)
	w := r.worker()
	given, searching := r.submit("x"), r.submit("y")
	for range 2 {
		if _, err := w.submit(t.Context(), r.payload(given)); err != nil {
			t.Fatal(err)
		}
		r.hset(given, "unc", ago(time.Second))
	}
	v.ready = []extraction.ReadyItem{{VendorID: "found", Name: first}}
	for range 2 {
		if _, err := w.submit(t.Context(), r.payload(searching)); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.get(given); got.VendorID != "found" || got.Status != extraction.StatusError {
		t.Fatalf("the one given up is %s with vendor id %q", got.Status, got.VendorID)
	}
	if got := r.repeat(w, given); got.Status != extraction.StatusSuccess || got.VendorID != "found" || v.submits != 2 {
		t.Errorf("the repetition is %s with vendor id %q after %d submissions", got.Status, got.VendorID, v.submits)
	}
}

// An answer that comes after the cancellation tells what is left at the vendor.
func TestCanceledInTheMiddle(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	id := r.submit("x")
	v.onSubmit = func(int, extraction.Submission) error {
		_, err := r.client.Cancel(t.Context(), "acme", id)
		return err
	}
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusCanceled || got.VendorID != "v1" {
		t.Errorf("it is %s with vendor id %q", got.Status, got.VendorID)
	}
	v.onSubmit = nil
	if got := r.repeat(w, id); got.Status != extraction.StatusSuccess || v.submits != 1 {
		t.Errorf("the repetition is %s after %d submissions, want SUCCESS after 1", got.Status, v.submits)
	}
}

// A submission whose answer was lost is given up, its record is deleted, and the search
// for another one comes across what the vendor has of it: the repetition takes that over
// and pays nothing.
func TestRetryOfUncertainWhoseRecordIsGone(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var names []string
	v.onSubmit = func(n int, s extraction.Submission) error {
		names = append(names, s.Name)
		if n > 2 {
			return nil
		}
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	r := newRig(t, v)
	w := r.worker()
	lost, other := r.submit("lost"), r.submit("other")
	for _, id := range []string{lost, other} {
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
	}
	r.hset(lost, "unc", ago(time.Second), "sent", ago(w.cfg.UncertainWindow))
	if _, err := w.submit(t.Context(), r.payload(lost)); err != nil {
		t.Fatal(err)
	}
	repetition, err := r.client.Retry(t.Context(), "acme", lost, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.records.Erase(t.Context(), r.get(lost).Input, true, r.cfg.kept()); err != nil {
		t.Fatal(err)
	}
	v.ready = []extraction.ReadyItem{{VendorID: "late", Name: names[0]}}
	if _, err := w.submit(t.Context(), r.payload(other)); err != nil { // It searches, and finds the first one's.
		t.Fatal(err)
	}
	if _, err := w.submit(t.Context(), r.payload(repetition.ID)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(repetition.ID); got.VendorID != "late" || v.submits != 2 {
		t.Errorf("the repetition follows %q after %d submissions, want late after 2", got.VendorID, v.submits)
	}
}

// What was thought not to have arrived is listed under its token: it is followed, and
// not submitted again.
func TestListedAfterAll(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var name string
	v.onSubmit = func(n int, s extraction.Submission) error {
		if n == 1 {
			name = s.Name
		}
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: n > 1, Err: errors.New("502")}
	}
	r := newRig(t, v)
	w := r.worker()
	queued, lost := r.submit("queued"), r.submit("lost")
	for _, id := range []string{queued, lost} {
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
	}
	v.ready = []extraction.ReadyItem{{VendorID: "arrived", Name: name}}
	if _, err := w.submit(t.Context(), r.payload(lost)); err != nil { // It searches.
		t.Fatal(err)
	}
	if got := r.get(queued); got.VendorID != "arrived" || got.Step != extraction.StepPoll || got.Status != extraction.StatusInProgress {
		t.Errorf("now %s, next %s, under %q, want a poll of what arrived", got.Status, got.Step, got.VendorID)
	}
}
