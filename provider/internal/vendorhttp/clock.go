package vendorhttp

import (
	"net/http"
	"sync"
	"time"
)

// mostBehind bounds what is believed of a Date: one that is further away from our clock
// than that is nonsense.
const mostBehind = time.Hour

// vendorClock knows how far the vendor's clock is behind ours, by the Date of its answers.
// One that is ahead counts as one that goes right: who asks for what is younger than a
// moment of our clock misses nothing then.
type vendorClock struct {
	mu     sync.Mutex
	behind time.Duration
}

// learn looks at the Date of an answer to a request that was sent, and whose answer came,
// at these moments of our clock. It was written in between, within the second that the
// Date names. What was believed stays while that allows it, so that a slow answer, which
// allows much, changes nothing.
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

// Behind is how far the vendor's clock is behind ours at the most, as far as is known:
// zero before the first answer, and where it is not behind.
func (c *Client) Behind() time.Duration {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	return c.clock.behind
}
