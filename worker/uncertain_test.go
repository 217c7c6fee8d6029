package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// While the vendor cannot be asked whether it has a lost submission, nothing is
// decided about it: however often asking fails, and while others succeed.
func TestLostAnswerAndNoList(t *testing.T) {
	t.Parallel()
	v := &listless{vendor: newVendor()}
	v.onSubmit = func(n int, _ extraction.Submission) error {
		if n == 1 {
			return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
		}
		return nil
	}
	r := newRig(t, v)
	r.cfg.Accounts[0].SubmitAttempts = 2
	w := r.worker()
	lost := r.submit("lost")
	for i := range 8 {
		if _, err := w.submit(t.Context(), r.payload(lost)); err != nil {
			t.Fatal(err)
		}
		if got := r.get(lost); got.Status.Final() {
			t.Fatalf("after %d steps: %s %+v, want it undecided", i+1, got.Status, got.Failure)
		}
		other := r.polling(w, "other", time.Second)
		if _, err := w.poll(t.Context(), r.payload(other)); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.get(lost); got.Phase != store.PhaseUncertain {
		t.Errorf("now in phase %q", got.Phase)
	}
}

// listless is a vendor whose ready list is out of order.
type listless struct{ *vendor }

func (v *listless) Ready(context.Context, extraction.ReadyQuery) (extraction.ReadyPage, error) {
	return extraction.ReadyPage{}, &extraction.Error{Op: "ready", Kind: extraction.KindTransient, Status: 500, Err: errors.New("500")}
}

// The document of an opened upload may be at the vendor: polls that fail do not
// end the extraction.
func TestOpenedAndNoPolls(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPut = func(n int, body io.Reader) error {
		if n > 1 {
			return nil
		}
		_, _ = io.ReadAll(body)
		return &extraction.Error{Op: "upload", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	v.onPoll = func(id string, _ int) (extraction.Outcome, error) {
		if id == "u1" {
			return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindTransient, Status: 500, Err: errors.New("500")}
		}
		return done(), nil
	}
	r := newRig(t, uploader{v})
	r.cfg.Accounts[0].SubmitAttempts = 2
	w := r.worker()
	lost := r.submit("lost")
	for i := range 8 {
		if _, err := w.submit(t.Context(), r.payload(lost)); err != nil {
			t.Fatal(err)
		}
		if got := r.get(lost); got.Status.Final() {
			t.Fatalf("after %d steps: %s %+v, want it undecided", i+1, got.Status, got.Failure)
		}
		other := r.polling(w, "other", time.Second)
		if _, err := w.poll(t.Context(), r.payload(other)); err != nil {
			t.Fatal(err)
		}
	}
}

// The document of an upload whose answer was lost is at the vendor, and the
// result cannot be stored: what is repeated is the question, not the upload.
func TestResumedUploadAndNoRoomForTheResult(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPut = func(n int, body io.Reader) error {
		if n > 1 {
			return nil
		}
		_, _ = io.ReadAll(body)
		return &extraction.Error{Op: "upload", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	r := newRig(t, uploader{v})
	w := r.worker()
	id := r.submit("the document")
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	// A folder where the result's file must go fails its writing.
	blocked := fmt.Sprintf("%s/%s/%d", r.dir, id, r.get(id).Seq)
	if err := os.MkdirAll(blocked+"/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusInProgress || got.Step != extraction.StepPoll {
		t.Errorf("now %s, next %s, want IN_PROGRESS and a poll", got.Status, got.Step)
	}
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusSuccess || v.opened != 1 || v.puts != 1 {
		t.Errorf("now %s with %d opened and %d puts, want SUCCESS with 1 and 1", got.Status, v.opened, v.puts)
	}
}

// listsIDs lists finished extractions without their names, as Typless does.
type listsIDs struct{ *vendor }

func (l *listsIDs) Traits() extraction.Traits { return extraction.Traits{Provider: "fake"} }

// A listed id that is answered with 404 at first is asked about again, and one
// that always fails does not keep the others from being found.
func TestLostAnswerAndEarly404(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var name string
	v.onSubmit = func(_ int, s extraction.Submission) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		name = s.Name
		v.ready = []extraction.ReadyItem{{VendorID: "broken"}, {VendorID: "lost"}}
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	v.onPoll = func(id string, n int) (extraction.Outcome, error) {
		switch {
		case id == "broken":
			return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindTransient, Err: errors.New("500")}
		case n == 1:
			return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindNotFound, Err: errors.New("404")}
		}
		out := done()
		v.mu.Lock()
		defer v.mu.Unlock()
		out.Name = name
		return out, nil
	}
	r := newRig(t, &listsIDs{v})
	r.cfg.UncertainWindow = 20 * time.Second
	id := r.submit("x")
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess || v.submits != 1 {
		t.Errorf("ended %s %+v after %d submissions, want SUCCESS after 1", got.Status, got.Failure, v.submits)
	}
}

// A listed id that always fails, or that the vendor failed to process and does not name, may
// be what a search looks for, which then decides nothing. It cannot be what was submitted
// after it was first seen.
func TestLostAnswerAndAnOldBrokenID(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func() (extraction.Outcome, error){
		"always fails": func() (extraction.Outcome, error) {
			return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindTransient, Err: errors.New("500")}
		},
		"failed without a name": func() (extraction.Outcome, error) {
			return extraction.Outcome{Status: extraction.StatusError, VendorStatus: "ERROR"}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testOldBrokenID(t, answer)
		})
	}
}

func testOldBrokenID(t *testing.T, answer func() (extraction.Outcome, error)) {
	v := newVendor()
	v.ready = []extraction.ReadyItem{{VendorID: "broken"}}
	v.onSubmit = func(int, extraction.Submission) error {
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	v.onPoll = func(id string, _ int) (extraction.Outcome, error) {
		if id == "broken" {
			return answer()
		}
		return done(), nil
	}
	r := newRig(t, &listsIDs{v})
	r.cfg.Accounts[0].Resubmit = true
	w := r.worker()
	lose := func() string {
		id := r.submit("x")
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
		return id
	}
	// over is what it comes to when its window is over.
	over := func(id string) store.Record {
		r.hset(id, "unc", ago(2*w.cfg.UncertainWindow+time.Minute))
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
		return r.get(id)
	}
	if got := over(lose()); got.Failure == nil || got.Failure.Code != extraction.CodeSubmitUncertain {
		t.Errorf("the first one is %s %+v, want submit_uncertain: the broken one may be it", got.Status, got.Failure)
	}
	if got := over(lose()); got.Failure != nil || got.Step != extraction.StepSubmit || got.Phase != store.PhaseNone {
		t.Errorf("the next one is %s, phase %q, %+v, want it submitted again: the broken one was there before", got.Status, got.Phase, got.Failure)
	}
}

// A submission that the vendor refused was not sent, although its last byte went: the
// next one's search must not be dated by it.
func TestRefusedWasNotSent(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(int, extraction.Submission) error {
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Status: 503, Err: errors.New("503")}
	}
	r := newRig(t, v)
	id := r.submit("x")
	if _, err := r.worker().submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Phase != store.PhaseNone || got.Attempts != 1 || !got.SentAt.IsZero() {
		t.Errorf("after %d attempts in phase %q, sent at %v, want 1 and neither", got.Attempts, got.Phase, got.SentAt)
	}
}
