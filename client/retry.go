package client

import (
	"net/http"
	"time"
)

// firstWait is before the second attempt; each wait is about twice the one before,
// up to longestWait.
const (
	firstWait   = 250 * time.Millisecond
	longestWait = 10 * time.Second
)

// patience decides whether a call that failed is made again, and after which time.
// made is how many attempts there were, random between 0 and 1. It is the only
// place that decides on a repetition.
func (c Config) patience(e *Error, made int, random float64) (wait time.Duration, again bool) {
	if made >= c.Attempts || !passes(e) {
		return 0, false
	}
	// Half of it is random, so that those who were refused together do not come
	// back together.
	wait = min(firstWait<<min(made-1, 16), longestWait, c.MaxWait)
	wait = wait/2 + time.Duration(random*float64(wait/2))
	if e.RetryAfter > c.MaxWait {
		return 0, false
	}
	return max(wait, e.RetryAfter), true
}

// passes reports whether the same call may do better later.
func passes(e *Error) bool {
	switch e.Status {
	case 0:
		return e.Code == CodeUnreachable
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusConflict:
		// Any other conflict is a verdict.
		return e.Code == CodeReceiving
	}
	return false
}
