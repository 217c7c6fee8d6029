package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
)

// A used-up plan stops submissions and leaves polls.
func TestQuotaLeavesPolls(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(n int, _ extraction.Submission) error {
		if n == 1 {
			return nil
		}
		return &extraction.Error{Op: "submit", Kind: extraction.KindQuota, Status: 429, Err: errors.New("429")}
	}
	r := newRig(t, v)
	w := r.worker()
	inFlight := r.polling(w, "a", time.Second)
	r.start()
	ids := []string{r.submit("b"), r.submit("c")}
	r.await("the pause", func() bool {
		s, err := r.limiter.State(t.Context(), "acme")
		return err == nil && s.Reason == limiter.Quota
	})
	if got := r.final(inFlight); got.Status != extraction.StatusSuccess {
		t.Errorf("in flight ended %s", got.Status)
	}
	r.await("the queues", func() bool {
		i := asynq.NewInspectorFromRedisClient(r.rdb)
		s, err1 := i.GetQueueInfo("acme.submit")
		p, err2 := i.GetQueueInfo("acme.poll")
		return err1 == nil && err2 == nil && s.Paused && !p.Paused
	})
	for _, id := range ids {
		if got := r.get(id); got.Status.Final() || got.SubmitErrors != 0 {
			t.Errorf("%s is %s after %d errors, want it to wait", id, got.Status, got.SubmitErrors)
		}
	}
}

// A Retry-After blocks the account for every worker and counts against no document.
func TestRetryAfterBlocks(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindRateLimited, RetryAfter: time.Hour / 2, Err: errors.New("429")}
	}
	r := newRig(t, v)
	w, other := r.worker(), r.worker()
	first, second := r.polling(w, "a", time.Second), r.polling(w, "b", time.Second)
	if _, err := w.poll(t.Context(), r.payload(first)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.poll(t.Context(), r.payload(second)); err != nil {
		t.Fatal(err)
	}
	if n := v.polls["v1"] + v.polls["v2"]; n != 1 {
		t.Errorf("%d polls, want the second one held back", n)
	}
	for _, id := range []string{first, second} {
		got := r.get(id)
		if wait := time.Until(got.Due); wait < 29*time.Minute || wait > 31*time.Minute || got.PollErrors != 0 || got.Because != extraction.BecauseRate {
			t.Errorf("due in %v because of %s after %d errors, want half an hour because of the rate", wait, got.Because, got.PollErrors)
		}
	}
}

// One slot and twenty documents: never two at the vendor, and all get there.
func TestOneSlot(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var now, most atomic.Int64
	v.onSubmit = func(int, extraction.Submission) error {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return nil
	}
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		now.Add(-1)
		return done(), nil
	}
	r := newRig(t, v)
	r.cfg.Accounts[0].MaxInFlight = 1
	w := r.worker()
	w.serve(t.Context())
	var ids []string
	for range 20 {
		ids = append(ids, r.submit("x"))
	}
	for range 20 { // The steps are driven by hand.
		if err := w.queue.Release(t.Context(), w.records, "acme"); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, id := range ids {
			p := r.payload(id)
			wg.Go(func() {
				if r.get(id).Step == extraction.StepSubmit {
					_, _ = w.submit(context.Background(), p)
				}
			})
		}
		wg.Wait()
		if l, err := r.records.Load(t.Context(), "acme"); err != nil || l.InFlight > 1 {
			t.Fatalf("%d in flight, %v", l.InFlight, err)
		}
		for _, id := range ids {
			if r.get(id).Step == extraction.StepPoll {
				_, _ = w.poll(context.Background(), r.payload(id))
			}
		}
	}
	for _, id := range ids {
		if got := r.get(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s is %s because of %s", id, got.Status, got.Because)
		}
	}
	if most.Load() != 1 || v.submits != 20 {
		t.Errorf("%d at once and %d submissions, want 1 and 20", most.Load(), v.submits)
	}
}

// A worker is stopped while a vendor takes its time with a document: that is no
// failure of the vendor's, and nothing is submitted twice.
func TestStopInSubmit(t *testing.T) {
	t.Parallel()
	for _, sent := range []bool{false, true} {
		t.Run(fmt.Sprintf("sent=%v", sent), func(t *testing.T) {
			t.Parallel()
			v := &slow{vendor: newVendor(), sent: sent, began: make(chan struct{}, 8)}
			r := newRig(t, v)
			r.cfg.StopTimeout = 200 * time.Millisecond
			var ids []string
			for range 6 {
				ids = append(ids, r.submit("x"))
			}
			stop := r.start()
			for range ids {
				<-v.began
			}
			stop()
			if s, err := r.limiter.State(t.Context(), "acme"); err != nil || s.Reason != limiter.Active {
				t.Errorf("the stop paused the account: %+v, %v", s, err)
			}
			if n, err := r.rdb.HLen(t.Context(), "extractq:{acme}:failing").Result(); err != nil || n != 0 {
				t.Errorf("the stop counted as %d failures, %v", n, err)
			}
			v.mu.Lock()
			v.fast = true
			v.mu.Unlock()
			r.start()
			for _, id := range ids {
				if got := r.final(id); got.Status != extraction.StatusSuccess {
					t.Errorf("%s ended %s %+v", id, got.Status, got.Failure)
				}
			}
			want := len(ids)
			if got := len(v.bodies); got != want {
				t.Errorf("%d documents at the vendor, want %d", got, want)
			}
		})
	}
}

// slow is a vendor that answers only when its context ends, until it is fast.
// With sent it has the document by then and lists it.
type slow struct {
	*vendor
	sent, fast bool
	began      chan struct{}
}

func (v *slow) Submit(ctx context.Context, s extraction.Submission) (extraction.Receipt, error) {
	v.mu.Lock()
	fast := v.fast
	v.mu.Unlock()
	if fast {
		return v.vendor.Submit(ctx, s)
	}
	if v.sent {
		got, err := v.vendor.Submit(ctx, s)
		if err != nil {
			return got, err
		}
		v.mu.Lock()
		v.ready = append(v.ready, extraction.ReadyItem{VendorID: got.VendorID, Name: s.Name})
		v.mu.Unlock()
	}
	v.began <- struct{}{}
	<-ctx.Done()
	return extraction.Receipt{}, &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: v.sent, Err: ctx.Err()}
}
