package worker

import (
	"context"
	"time"

	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/limiter"
)

// places are the slots of an account that may be spent waiting for the rate. first is
// the one whose submission asks for the next moment.
type places struct{ all, submits, first chan struct{} }

// newPlaces are those of a server with so many slots.
func newPlaces(concurrency int) places {
	all, submits := countPlaces(concurrency)
	return places{all: make(chan struct{}, all), submits: make(chan struct{}, submits), first: make(chan struct{}, 1)}
}

// countPlaces is at most half of the slots, so that others can work meanwhile, and with
// two or three slots two. Submissions may take half of it, or one: all of them come back
// on whole seconds, as polls do, and a poll that finds no place to wait in cannot go before
// them.
func countPlaces(concurrency int) (all, submits int) {
	all = max(min(concurrency, 2), concurrency/2)
	return all, max(1, all/2)
}

// take returns how to leave the place that a call takes, if one for it is free before ctx
// ends.
func (p places) take(ctx context.Context, op limiter.Op) (leave func(), ok bool) {
	if !isSubmit(op) {
		return enter(ctx, p.all)
	}
	select {
	case p.submits <- struct{}{}:
	default:
		return func() {}, false
	}
	from, ok := enter(ctx, p.all)
	return func() { from(); <-p.submits }, ok
}

// enter takes one of c.
func enter(ctx context.Context, c chan struct{}) (leave func(), ok bool) {
	select {
	case c <- struct{}{}:
		return func() { <-c }, true
	case <-ctx.Done():
		return func() {}, false
	}
}

// await asks for one call until it is known when that may be made, or that it cannot be
// waited for in place; leave is to be called when that moment has come. A step that finds no
// place waits for one: if it were sent away, it would come back on a whole second, and the
// moments until then would go unused. Only the first waiting submission keeps asking.
func (w *Worker) await(ctx context.Context, a *account, op limiter.Op) (got limiter.Admission, leave func(), err error) {
	until, least := time.Now().Add(op.Patience()), aboutToCome
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	leave, ok := a.places.take(waiting, op)
	if !ok {
		until, least = time.Now(), 0
	} else if isSubmit(op) {
		step, _ := enter(waiting, a.places.first)
		defer step()
	}
	for {
		got, err = w.limiter.Admit(ctx, a.Name, op, a.Rate, max(time.Until(until), least))
		if err != nil || got.Verdict != limiter.Wait {
			return got, leave, err
		}
		if err := wait.For(ctx, got.Wait); err != nil {
			return got, leave, err
		}
	}
}

// aboutToCome is the moment that is waited for in any case, by who has waited before.
const aboutToCome = 50 * time.Millisecond

func isSubmit(op limiter.Op) bool { return op == limiter.OpSubmit || op == limiter.OpResubmit }
