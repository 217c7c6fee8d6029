package worker

import (
	"context"
	"time"

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

// take returns how to leave the place that a call takes, if there is one for it.
func (p places) take(op limiter.Op) (leave func(), ok bool) {
	var taken []chan struct{}
	leave = func() {
		for _, c := range taken {
			<-c
		}
	}
	wanted := []chan struct{}{p.all}
	if isSubmit(op) {
		wanted = []chan struct{}{p.submits, p.all}
	}
	for _, c := range wanted {
		select {
		case c <- struct{}{}:
			taken = append(taken, c)
		default:
			leave()
			return func() {}, false
		}
	}
	return leave, true
}

// await asks for one call until it is known when that may be made, or that it cannot be
// waited for in place. Of the submissions that wait only the first asks again and again.
func (w *Worker) await(ctx context.Context, a *account, op limiter.Op, canWait bool) (limiter.Admission, error) {
	until, least := time.Now(), time.Duration(0)
	if canWait {
		until, least = until.Add(op.Patience()), aboutToCome
	}
	if canWait && isSubmit(op) {
		waiting, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		select {
		case a.places.first <- struct{}{}:
			defer func() { <-a.places.first }()
		case <-waiting.Done():
		}
	}
	for {
		got, err := w.limiter.Admit(ctx, a.Name, op, a.Rate, max(time.Until(until), least))
		if err != nil || got.Verdict != limiter.Wait {
			return got, err
		}
		if err := sleep(ctx, got.Wait); err != nil {
			return got, err
		}
	}
}

// aboutToCome is the moment that is waited for in any case, by who has waited before.
const aboutToCome = 50 * time.Millisecond

func isSubmit(op limiter.Op) bool { return op == limiter.OpSubmit || op == limiter.OpResubmit }
