package worker

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
	"github.com/extractq/extractq/limiter"
)

// An answer that finds no room in the document store's directory is trouble of the store:
// the vendor has answered, and neither the extraction nor the account counts a failure.
func TestAnswerFindsNoRoom(t *testing.T) {
	t.Parallel()
	v := newVendor()
	full := true
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		if full {
			return extraction.Outcome{}, &extraction.Error{
				Op: "poll", Kind: extraction.KindTransient, Status: 200,
				Err: fmt.Errorf("read the answer: %w", &transfer.SpoolError{Err: syscall.ENOSPC}),
			}
		}
		return done(), nil
	}
	r := newRig(t, v)
	w := r.worker()
	id := r.polling(w, "x", 0)
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	got := r.get(id)
	if got.PollErrors != 0 || got.Because != extraction.BecauseStore || got.Trouble == nil || got.Trouble.Code != extraction.CodeStoreUnavailable {
		t.Errorf("%d failures, waits for %s, %+v", got.PollErrors, got.Because, got.Trouble)
	}
	if s, err := r.limiter.State(t.Context(), "acme"); err != nil || s.Reason != limiter.Active || s.LastError.Code == "vendor_failed" {
		t.Errorf("the account is %+v, %v", s, err)
	}
	full = false
	r.hset(id, "due", 1)
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusSuccess {
		t.Errorf("with room it is %s", got.Status)
	}
}
