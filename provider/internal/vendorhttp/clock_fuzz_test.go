package vendorhttp

import (
	"testing"
	"time"
)

// No Date makes a vendor's clock be believed more than an hour behind, or ahead.
func FuzzClock(f *testing.F) {
	f.Add("Fri, 02 Jan 2026 03:04:05 GMT", "Fri, 02 Jan 2026 02:10:00 GMT", int64(1000))
	f.Add("Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", int64(0))
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, first, second string, took int64) {
		took = max(0, took%int64(time.Minute/time.Millisecond))
		came := now.Add(time.Duration(took) * time.Millisecond)
		var c vendorClock
		for _, date := range []string{first, second, first} {
			c.learn(date, now, came)
			if c.behind < 0 || c.behind > mostBehind+time.Minute+time.Second {
				t.Errorf("%s behind after %q", c.behind, date)
			}
		}
	})
}
