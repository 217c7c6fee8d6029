// Package retryafter reads the header with which a server asks for patience.
package retryafter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// shortest stands for "now" and for a date that has passed, so that a
	// wait which was asked for is never no wait.
	shortest = time.Second
	// longest keeps a slip of the server from stopping an account for years.
	longest = 24 * time.Hour
	// odd is for a header that cannot be read: the server asked for patience and
	// did not say how much.
	odd = 10 * time.Second
)

// Read is how long the answer asks to wait, in seconds or until a date
// (RFC 9110, section 10.2.3); asked is false where it does not say.
func Read(h http.Header, now func() time.Time) (wait time.Duration, asked bool) {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s == "" {
		return 0, false
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == f {
		f = max(shortest.Seconds(), min(f, longest.Seconds()))
		return time.Duration(f * float64(time.Second)), true
	}
	t, err := http.ParseTime(s)
	if err != nil {
		return odd, true
	}
	// The server's own clock, where it is given, makes the difference right
	// even if ours is wrong.
	from := now()
	if d, err := http.ParseTime(h.Get("Date")); err == nil {
		from = d
	}
	return max(shortest, min(t.Sub(from), longest)), true
}
