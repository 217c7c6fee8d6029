package callback

import (
	"sync"
	"time"
)

const (
	// firstGuess is how long an attempt takes at an unknown host.
	firstGuess = time.Second
	// minTurn and maxTurn bound how long a delivery is sent away for.
	minTurn = time.Second
	maxTurn = 5 * time.Minute
	// manyHosts is the number of hosts from which on unused ones are forgotten.
	manyHosts = 1024
)

// hosts bounds the attempts at one host at once, and tells those that are too
// many when to come back: one after the other, as fast as the host has been
// answering. If all came back after the same time, most would come for nothing.
type hosts struct {
	limit int
	now   func() time.Time

	mu   sync.Mutex
	byID map[string]*host
}

// host is what is known of one.
type host struct {
	inFlight int
	took     time.Duration // An attempt, on average.
	turn     time.Time     // When the last one that was sent away may come back.
}

func newHosts(limit int, now func() time.Time) *hosts {
	return &hosts{limit: limit, now: now, byID: map[string]*host{}}
}

// enter takes a slot of the host. done gives it back; it is nil where there is
// none, and then wait says when to come back.
func (hs *hosts) enter(name string) (done func(), wait time.Duration) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	now := hs.now()
	h := hs.byID[name]
	if h == nil {
		hs.forget(now)
		h = &host{took: firstGuess}
		hs.byID[name] = h
	}
	if h.inFlight < hs.limit {
		h.inFlight++
		return func() { hs.leave(h, now) }, 0
	}
	next := h.turn.Add(h.took / time.Duration(hs.limit))
	if earliest := now.Add(minTurn); next.Before(earliest) {
		next = earliest
	}
	if latest := now.Add(maxTurn); next.After(latest) {
		next = latest
	}
	h.turn = next
	return nil, h.turn.Sub(now)
}

// leave gives a slot back.
func (hs *hosts) leave(h *host, since time.Time) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h.inFlight--
	h.took += (hs.now().Sub(since) - h.took) / 8
}

// forget drops the hosts that nothing is known of any longer, once there are
// many.
func (hs *hosts) forget(now time.Time) {
	if len(hs.byID) < manyHosts {
		return
	}
	for name, h := range hs.byID {
		if h.inFlight == 0 && !h.turn.After(now) {
			delete(hs.byID, name)
		}
	}
}
