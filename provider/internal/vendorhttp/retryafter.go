package vendorhttp

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// minRetryAfter stands for "now" and for a date that has passed, so that a
	// wait which was asked for is never no wait.
	minRetryAfter = time.Second
	// maxRetryAfter keeps a vendor's slip from stopping an account for years.
	maxRetryAfter = 24 * time.Hour
	// oddRetryAfter is for a header that cannot be read: the vendor asked for
	// patience and did not say how much.
	oddRetryAfter = 10 * time.Second
)

// RetryAfter is how long the answer asks to wait, in seconds or until a date
// (RFC 9110, section 10.2.3); asked is false where it does not say.
func RetryAfter(h http.Header, now func() time.Time) (wait time.Duration, asked bool) {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s == "" {
		return 0, false
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == f {
		f = max(minRetryAfter.Seconds(), min(f, maxRetryAfter.Seconds()))
		return time.Duration(f * float64(time.Second)), true
	}
	t, err := http.ParseTime(s)
	if err != nil {
		return oddRetryAfter, true
	}
	// The vendor's own clock, where it is given, makes the difference right
	// even if ours is wrong.
	from := now()
	if d, err := http.ParseTime(h.Get("Date")); err == nil {
		from = d
	}
	return max(minRetryAfter, min(t.Sub(from), maxRetryAfter)), true
}
