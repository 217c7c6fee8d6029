package callback

import (
	"sync"
	"time"
)

const (
	// firstGuess is the assumed duration of an attempt at an unknown host.
	firstGuess = time.Second
	// minDelay and maxDelay bound how long a delivery is postponed.
	minDelay = time.Second
	maxDelay = 5 * time.Minute
	// manyHosts is the number of hosts above which idle ones are dropped.
	manyHosts = 1024
)

// hosts bounds the attempts at one host at once, and tells the excess ones when to come
// back: one after the other, at the pace at which the host has been answering. If all came
// back at the same time, most would come in vain.
type hosts struct {
	limit int
	now   func() time.Time

	mu   sync.Mutex
	byID map[string]*host
}

// host is the state of one host.
type host struct {
	inFlight int
	took     time.Duration // The average duration of an attempt.
	next     time.Time     // When the last postponed delivery may come back.
}

func newHosts(limit int, now func() time.Time) *hosts {
	return &hosts{limit: limit, now: now, byID: map[string]*host{}}
}

// enter takes a slot of the host. done releases it; if there is none, done is nil and wait
// says when to come back.
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
	next := h.next.Add(h.took / time.Duration(hs.limit))
	if earliest := now.Add(minDelay); next.Before(earliest) {
		next = earliest
	}
	if latest := now.Add(maxDelay); next.After(latest) {
		next = latest
	}
	h.next = next
	return nil, h.next.Sub(now)
}

// leave releases a slot.
func (hs *hosts) leave(h *host, since time.Time) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h.inFlight--
	h.took += (hs.now().Sub(since) - h.took) / 8
}

// forget drops idle hosts once there are many.
func (hs *hosts) forget(now time.Time) {
	if len(hs.byID) < manyHosts {
		return
	}
	for name, h := range hs.byID {
		if h.inFlight == 0 && !h.next.After(now) {
			delete(hs.byID, name)
		}
	}
}
