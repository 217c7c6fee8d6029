package worker

import (
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// ends collects what a worker tells of the extractions that it ends.
func (r *rig) ends() (told func() []End) {
	var mu sync.Mutex
	var all []End
	r.cfg.Ended = func(e End) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, e)
	}
	return func() []End {
		mu.Lock()
		defer mu.Unlock()
		return append([]End(nil), all...)
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer func() (extraction.Outcome, error)
		// A minute ago the extraction was submitted; notYet says when it had not yet ended.
		notYet time.Duration
		want   End
		// least and most bound the delay, with room for a slow machine.
		least, most time.Duration
	}{
		"the vendor says when": {
			answer: func() (extraction.Outcome, error) {
				out := done()
				out.CompletedAt = time.Now().Add(-10 * time.Second)
				return out, nil
			},
			want:  End{Status: extraction.StatusSuccess, Polls: 1},
			least: 9 * time.Second, most: 25 * time.Second,
		},
		"it says no time": {
			answer: func() (extraction.Outcome, error) { return done(), nil },
			notYet: 40 * time.Second,
			want:   End{Status: extraction.StatusSuccess, Polls: 1},
			least:  19 * time.Second, most: 28 * time.Second,
		},
		"nonsense for a time": {
			answer: func() (extraction.Outcome, error) {
				out := done()
				out.CompletedAt = time.Now().Add(time.Hour)
				return out, nil
			},
			want:  End{Status: extraction.StatusSuccess, Polls: 1},
			least: 29 * time.Second, most: 40 * time.Second,
		},
		"the vendor's own verdict": {
			answer: func() (extraction.Outcome, error) {
				return extraction.Outcome{
					Status: extraction.StatusError, Failure: extraction.NewFailure(extraction.CodeVendorFailed, "no", nil),
				}, nil
			},
			want:  End{Status: extraction.StatusError, Code: extraction.CodeVendorFailed, Polls: 1},
			least: 29 * time.Second, most: 40 * time.Second,
		},
		"not the vendor's end": {
			answer: func() (extraction.Outcome, error) { return pending(), nil },
			want:   End{Status: extraction.StatusError, Code: extraction.CodeDeadlineExceeded, Polls: 1},
			least:  unended, most: unended,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onPoll = func(string, int) (extraction.Outcome, error) { return tt.answer() }
			r := newRig(t, v)
			r.cfg.Accounts[0].Deadline = 30 * time.Second
			told := r.ends()
			w := r.worker()
			id := r.polling(w, "x", time.Minute)
			r.hset(id, "cr", ago(2*time.Minute))
			if tt.notYet > 0 {
				r.hset(id, "ny", ago(tt.notYet))
			}
			if len(told()) > 0 {
				t.Fatalf("reported %+v before the end", told())
			}
			if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			got := told()
			if len(got) != 1 {
				t.Fatalf("reported %+v, want one end", got)
			}
			e := got[0]
			if e.Delay < tt.least || e.Delay > tt.most {
				t.Errorf("the end was unknown for %v, want %v to %v", e.Delay, tt.least, tt.most)
			}
			if e.Duration < 2*time.Minute || e.Duration > 3*time.Minute {
				t.Errorf("it took %v, want two minutes", e.Duration)
			}
			tt.want.Account, tt.want.Duration, tt.want.Delay = "acme", e.Duration, e.Delay
			if e != tt.want {
				t.Errorf("reported %+v, want %+v", e, tt.want)
			}
			// A late poll ends nothing.
			if _, err := w.poll(t.Context(), r.payload(id)); err != nil || len(told()) != 1 {
				t.Errorf("the end was told %d times, %v", len(told()), err)
			}
		})
	}
}

func TestDeliveredIsTold(t *testing.T) {
	t.Parallel()
	p := &producer{answer: func(n int) DeliveryOutcome {
		return []DeliveryOutcome{
			{State: store.DeliveryPending, Status: 503, Wait: time.Second},
			{State: store.DeliveryBusy, Wait: time.Second},
			{State: store.DeliveryDelivered, Status: 200},
		}[n-1]
	}}
	r := newRig(t, newVendor())
	r.cfg.Deliverer = p
	told := make(chan string, 10)
	r.cfg.Delivered = func(outcome string) { told <- outcome }
	id := r.submitWithCallback()
	r.start()
	r.delivered(id, store.DeliveryDelivered)
	for _, want := range []string{"retry", "delivered"} {
		if got := <-told; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	if len(told) > 0 {
		t.Errorf("told %q as well", <-told)
	}
}
