package worker

import "github.com/extractq/extractq/limiter"

// places are the slots of an account that may be spent waiting for the rate.
type places struct{ all, submits chan struct{} }

// newPlaces are those of a server with so many slots.
func newPlaces(concurrency int) places {
	all, submits := countPlaces(concurrency)
	return places{all: make(chan struct{}, all), submits: make(chan struct{}, submits)}
}

// countPlaces is at most half of the slots, so that others can work meanwhile, and with
// two or three slots two; what submissions may take of it leaves a quarter to polls, or
// one: a poll that may not wait finds no moment while submissions do.
func countPlaces(concurrency int) (all, submits int) {
	all = max(min(concurrency, 2), concurrency/2)
	return all, max(1, all-max(1, all/4))
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
	if op == limiter.OpSubmit || op == limiter.OpResubmit {
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
