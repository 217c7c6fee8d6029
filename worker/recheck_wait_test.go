package worker

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// waiting is what a vendor says of a submission whose document has not come.
func waiting() extraction.Outcome {
	return extraction.Outcome{Status: extraction.StatusInProgress, AwaitsDocument: true}
}

// stepOn carries out the next submit step of an extraction.
func (r *rig) stepOn(w *Worker, id string) store.Record {
	r.t.Helper()
	if _, err := w.submit(r.t.Context(), r.payload(id)); err != nil {
		r.t.Fatal(err)
	}
	return r.get(id)
}

// wantSought fails unless a repetition still looks for the old extraction.
func wantSought(t *testing.T, when string, got store.Record) {
	t.Helper()
	if got.Phase != store.PhaseRecheck || got.Attempts != 0 {
		t.Fatalf("%s: the repetition is %s in phase %q after %d submissions", when, got.Status, got.Phase, got.Attempts)
	}
}

// A vendor that does not know the old extraction does not know it yet, until that
// lasts; only then is it paid again.
func TestRetryOfUnknown(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		out extraction.Outcome
		err error
		set string
		age time.Duration
	}{
		"unknown": {extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindNotFound, Err: errors.New("no")}, "nf", missingLimit},
		"empty":   {waiting(), nil, "wait", rePutAfter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
				if n == 1 {
					return pending(), nil
				}
				return answer.out, answer.err
			}
			r := newRig(t, v)
			w := r.worker()
			id := r.repeat(w, r.late(w)).ID
			wantSought(t, "after one answer", r.stepOn(w, id))
			r.hset(id, answer.set, ago(answer.age))
			if got := r.stepOn(w, id); got.VendorID != "v2" || v.submits != 2 {
				t.Errorf("after it lasted: vendor id %q after %d submissions, want v2 after 2", got.VendorID, v.submits)
			}
			if follower, err := r.records.Follower(t.Context(), "acme", "v1"); follower != "" || err != nil {
				t.Errorf("v1 is followed by %q, %v", follower, err)
			}
		})
	}
}

// What was canceled in the middle of its upload may still arrive: it is not paid
// again while the upload URL lasts.
func TestRetryOfCanceledUpload(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) { return waiting(), nil }
	r := newRig(t, uploader{v})
	w := r.worker()
	id := r.submit("x")
	v.onPut = func(int, io.Reader) error {
		_, err := r.client.Cancel(t.Context(), "acme", id)
		if err != nil {
			return err
		}
		return &extraction.Error{Op: "upload", Kind: extraction.KindTransient, Err: errors.New("reset")}
	}
	r.stepOn(w, id)
	v.onPut = nil
	again := r.repeat(w, id)
	wantSought(t, "at once", again)
	r.hset(again.ID, "wait", ago(rePutAfter))
	got := r.stepOn(w, again.ID)
	wantSought(t, "while the URL lasts", got)
	if v.opened != 1 || time.Until(got.Due) < 14*time.Minute {
		t.Errorf("%d were opened, the next step is in %v", v.opened, time.Until(got.Due))
	}
	r.hset(again.ID, "uexp", ago(time.Second))
	if got := r.stepOn(w, again.ID); got.VendorID != "u2" || got.Status != extraction.StatusInProgress {
		t.Errorf("afterwards it is %s with vendor id %q", got.Status, got.VendorID)
	}
	// The old one keeps its vendor id, which nothing follows any more.
	if got, err := r.records.Audit(t.Context(), "acme", r.blobs); err != nil || len(got.Violations) > 0 {
		t.Errorf("audit: %+v, %v", got.Violations, err)
	}
}

// sent makes an extraction that was canceled after its last byte was let go and
// whose answer was lost. It returns the vendor's name of it too.
func (r *rig) sent(w *Worker, v *vendor) (id, name string) {
	r.t.Helper()
	id = r.submit("x")
	v.onSubmit = func(_ int, s extraction.Submission) error {
		name = s.Name
		if _, err := r.client.Cancel(r.t.Context(), "acme", id); err != nil {
			return err
		}
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	if got := r.stepOn(w, id); got.Status != extraction.StatusCanceled || got.SentAt.IsZero() || got.VendorID != "" {
		r.t.Fatalf("it is %s, sent at %v, with vendor id %q", got.Status, got.SentAt, got.VendorID)
	}
	v.onSubmit = nil
	return id, name
}

// A list of what has finished does not have what was sent a moment ago.
func TestRetryOfJustSent(t *testing.T) {
	t.Parallel()
	for _, arrived := range []bool{true, false} {
		v := newVendor()
		r := newRig(t, v)
		w := r.worker()
		id, name := r.sent(w, v)
		again := r.repeat(w, id)
		wantSought(t, "at once", again)
		want, submits := "found", 1
		if arrived {
			v.ready = []extraction.ReadyItem{{VendorID: "found", Name: name}}
		} else {
			want, submits = "v2", 2
			r.hset(again.ID, "sent", ago(w.cfg.UncertainWindow))
		}
		if got := r.stepOn(w, again.ID); got.VendorID != want || v.submits != submits {
			t.Errorf("arrived %v: vendor id %q after %d submissions", arrived, got.VendorID, v.submits)
		}
	}
}

// The old extraction may be deleted, and its repetition canceled and repeated,
// before the vendor was asked: what is paid for is found all the same.
func TestRetryOfRetry(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*rig, *Worker, *vendor) (id, vendorID string){
		"late": func(r *rig, w *Worker, _ *vendor) (string, string) { return r.late(w), "v1" },
		"sent": func(r *rig, w *Worker, v *vendor) (string, string) {
			id, name := r.sent(w, v)
			v.ready = []extraction.ReadyItem{{VendorID: "found", Name: name}}
			return id, "found"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
				if n == 1 && name == "late" {
					return pending(), nil
				}
				return done(), nil
			}
			r := newRig(t, v)
			w := r.worker()
			id, vendorID := make(r, w, v)
			for range 2 {
				e, err := r.client.Retry(t.Context(), "acme", id, false)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.client.Cancel(t.Context(), "acme", e.ID); err != nil {
					t.Fatal(err)
				}
				if _, err := r.client.Delete(t.Context(), "acme", id); err != nil {
					t.Fatal(err)
				}
				id = e.ID
			}
			if got := r.repeat(w, id); got.Status != extraction.StatusSuccess || got.VendorID != vendorID || v.submits != 1 {
				t.Errorf("it is %s with vendor id %q after %d submissions", got.Status, got.VendorID, v.submits)
			}
		})
	}
}

// What another search gives to the old extraction in the middle of ours is found.
func TestRetryBesideAnotherSearch(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	id, name := r.sent(w, v)
	v.ready = []extraction.ReadyItem{{VendorID: "found", Name: name}}
	v.onReady = func() {
		if err := w.resolve(t.Context(), r.get(id), "found"); err != nil {
			t.Error(err)
		}
	}
	e, err := r.client.Retry(t.Context(), "acme", id, false)
	if err != nil {
		t.Fatal(err)
	}
	r.hset(e.ID, "sent", ago(w.cfg.UncertainWindow))
	if got := r.stepOn(w, e.ID); got.VendorID != "found" || v.submits != 1 {
		t.Errorf("vendor id %q after %d submissions, want found after 1", got.VendorID, v.submits)
	}
}
