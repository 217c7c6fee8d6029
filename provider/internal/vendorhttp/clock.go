package vendorhttp

import (
	"net/http"
	"sync"
	"time"
)

// mostBehind bounds the offsets that are believed: a Date that differs more from our clock
// is nonsense.
const mostBehind = time.Hour

// vendorClock knows how far the vendor's clock is behind ours, from the Date of its
// answers. A clock that is ahead counts as exact: a query for what is younger than a time
// of ours misses nothing then.
type vendorClock struct {
	mu     sync.Mutex
	behind time.Duration
}

// learn uses the Date of an answer; sent and came are the times, by our clock, of the
// request and the answer. The Date was written in between, within the second that it names.
// The present estimate is kept as long as it is consistent with that, so that a slow
// answer, which allows much, changes nothing.
func (c *vendorClock) learn(date string, sent, came time.Time) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	least, most := sent.Sub(at)-time.Second, came.Sub(at)
	if least > mostBehind || most < -mostBehind {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case least > c.behind:
		c.behind = most
	case most < c.behind:
		c.behind = max(most, 0)
	}
}

// Behind is how far the vendor's clock is behind ours at most, as far as known: zero before
// the first answer, and if it is not behind.
func (c *Client) Behind() time.Duration {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	return c.clock.behind
}
