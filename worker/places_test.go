package worker

import (
	"context"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/limiter"
)

// However few slots there are, submissions that wait leave polls a place, where there
// is a slot for a poll at all: without one it could only go when the rate is not used,
// and submissions use it all.
func TestPollsHaveAPlace(t *testing.T) {
	t.Parallel()
	for concurrency := 2; concurrency <= 64; concurrency++ {
		p := newPlaces(concurrency)
		waiting := 0
		for {
			if _, ok := p.take(t.Context(), limiter.OpSubmit); !ok {
				break
			}
			waiting++
		}
		if _, ok := p.take(t.Context(), limiter.OpPoll); !ok || waiting == 0 {
			t.Errorf("with %d slots, %d of them with waiting submissions, a poll finds a place: %v", concurrency, waiting, ok)
		}
	}
}

// A submission waits in place for the next moment and is given it, or is sent away when
// that is too far; what waits ends with its context.
func TestAwait(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	const rate = 2 // The second moment is worth waiting for, the third is not.
	r.cfg.Accounts[0].Rate = rate
	w := r.worker()
	a := w.accounts["acme"]
	began := time.Now()
	if got, leave, err := w.await(t.Context(), a, limiter.OpSubmit); err != nil || got.Verdict != limiter.Go || got.Wait > 0 {
		t.Fatalf("the first is to %+v, %v", got, err)
	} else {
		leave()
	}
	verdicts := make(chan limiter.Verdict)
	for range 2 {
		go func() {
			got, leave, err := w.await(t.Context(), a, limiter.OpSubmit)
			defer leave()
			if err != nil {
				t.Error(err)
			}
			if d := time.Since(began) + got.Wait; got.Verdict == limiter.Go && d < time.Second/rate {
				t.Errorf("made after %v", d)
			}
			verdicts <- got.Verdict
		}()
	}
	gone := map[limiter.Verdict]int{}
	for range 2 {
		gone[<-verdicts]++
	}
	if gone[limiter.Go] == 0 || gone[limiter.Wait] > 0 {
		t.Errorf("two that wait came to %v, want one to go and none to be left waiting", gone)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, leave, err := w.await(ctx, a, limiter.OpSubmit); err == nil {
		t.Errorf("without a context one is to %+v", got)
	} else {
		leave()
	}
}

// Where the rate is higher than there are places, a step that finds none waits for one, and
// the rate is used: no step is sent away that could be admitted within its longest wait.
func TestMorePollsThanPlaces(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	r.cfg.Accounts[0].Rate, r.cfg.Concurrency = 1000, 2
	w := r.worker()
	a := w.accounts["acme"]
	verdicts := make(chan limiter.Verdict)
	for range 10 * cap(a.places.all) {
		go func() {
			got, leave, err := w.await(t.Context(), a, limiter.OpPoll)
			defer leave()
			if err == nil {
				err = wait.For(t.Context(), got.Wait)
			}
			if err != nil {
				t.Error(err)
			}
			verdicts <- got.Verdict
		}()
	}
	for range 10 * cap(a.places.all) {
		if got := <-verdicts; got != limiter.Go {
			t.Errorf("one is to %s, want all to go", got)
		}
	}
}
