package client

import (
	"net/http"
	"time"
)

// firstWait is the wait before the second attempt; each wait is about twice the previous
// one, up to longestWait.
const (
	firstWait   = 250 * time.Millisecond
	longestWait = 10 * time.Second
)

// retryDelay decides whether a failed call is repeated, and after how long. made is the
// number of attempts so far, random is between 0 and 1. No other place decides on
// repetition.
func (c Config) retryDelay(e *Error, made int, random float64) (wait time.Duration, again bool) {
	if made >= c.Attempts || !passes(e) {
		return 0, false
	}
	// Half of it is random, so that calls that failed together are not repeated together.
	wait = min(firstWait<<min(made-1, 16), longestWait, c.MaxWait)
	wait = wait/2 + time.Duration(random*float64(wait/2))
	if e.RetryAfter > c.MaxWait {
		return 0, false
	}
	return max(wait, e.RetryAfter), true
}

// passes reports whether the same call may succeed later.
func passes(e *Error) bool {
	switch e.Status {
	case 0:
		return e.Code == CodeUnreachable
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusConflict:
		// Every other conflict is final.
		return e.Code == CodeReceiving
	}
	return false
}
