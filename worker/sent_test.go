package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
)

// slowAnswer is how long the vendor takes to answer after the last byte. What is dated by
// the last byte is dated nearer to it than to the answer.
const slowAnswer = 3 * time.Second

// fetcher is a vendor that fetches documents by their URL.
type fetcher struct{ *vendor }

func (f fetcher) Traits() extraction.Traits {
	return extraction.Traits{Provider: "fake", ReadyHasNames: true, FetchesURL: true}
}

func (f fetcher) Submit(_ context.Context, s extraction.Submission) (extraction.Receipt, error) {
	return extraction.Receipt{VendorID: "v1"}, f.onSubmit(1, s)
}

// A submission was sent when its last byte went, however long the vendor takes to answer
// or not to. What is learned, the deadline and the window of the search begin there, also
// where the search, or an answer after the end of the lease, has the vendor's id.
func TestSentWhenTheLastByteWent(t *testing.T) {
	t.Parallel()
	lost := &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("502 Bad Gateway")}
	for name, test := range map[string]struct {
		answer error
		byURL  bool
		lapses bool // The lease, while the answer is waited for.
	}{
		"the answer is lost":          {answer: lost},
		"the answer to a URL is lost": {answer: lost, byURL: true},
		"the lease lapses":            {lapses: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onPoll = func(string, int) (extraction.Outcome, error) { return pending(), nil }
			r := newRig(t, v)
			r.cfg.Lease = time.Hour // No heartbeat comes between.
			d := r.keepDiary()
			if test.byURL {
				r.cfg.Accounts[0].Provider = fetcher{v}
			}
			w := r.worker()
			in := intake.Submission{Account: "acme", Provider: "fake", Type: "t", Name: "a.pdf", URL: "https://example.com/a.pdf"}
			id := ""
			if test.byURL {
				e, err := r.client.Submit(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				id = e.ID
			} else {
				id = r.submit("x")
			}
			var went time.Time
			v.onSubmit = func(_ int, s extraction.Submission) error {
				went = time.Now()
				v.mu.Lock()
				v.ready = []extraction.ReadyItem{{VendorID: "v1", Name: s.Name}}
				v.mu.Unlock()
				if test.lapses {
					r.hset(id, "lease", ago(time.Second))
					r.overdue(id)
					if got, err := w.reconcile(t.Context(), w.accounts["acme"]); err != nil || got.Reissued != 1 {
						t.Errorf("reconcile: %+v, %v", got, err)
					}
				}
				time.Sleep(slowAnswer)
				return test.answer
			}
			near := func(what string, at time.Time) {
				t.Helper()
				if late := at.Sub(went).Abs(); late > slowAnswer/2 {
					t.Errorf("%s at %v, %v from the last byte", what, at, late)
				}
			}
			if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			if got := r.get(id); test.answer != nil {
				near("sent", got.SentAt)
				near("journalled", d.last.SentAt)
				if got.VendorID != "" {
					t.Errorf("the vendor id is %s", got.VendorID)
				}
				if _, err := w.submit(t.Context(), r.payload(id)); err != nil { // It searches.
					t.Fatal(err)
				}
			}
			got := r.get(id)
			near("submitted", got.SubmittedAt)
			near("sent", got.SentAt)
			if got.VendorID != "v1" || got.Status != extraction.StatusInProgress {
				t.Errorf("it is %s with vendor id %q", got.Status, got.VendorID)
			}
		})
	}
}
