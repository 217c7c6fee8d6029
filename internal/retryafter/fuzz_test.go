package retryafter

import (
	"net/http"
	"testing"
	"time"
)

// No header stops an account forever, or makes a wait that was asked for no wait.
func FuzzRead(f *testing.F) {
	f.Add("120", "")
	f.Add("1e400", "")
	f.Add("-Inf", "")
	f.Add("NaN", "")
	f.Add("Wed, 21 Oct 2026 07:28:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "nonsense")
	now := func() time.Time { return time.Date(2026, 7, 6, 20, 0, 0, 0, time.UTC) }
	f.Fuzz(func(t *testing.T, header, date string) {
		wait, asked := Read(http.Header{"Retry-After": {header}, "Date": {date}}, now)
		if asked && (wait < shortest || wait > longest) || !asked && wait != 0 {
			t.Errorf("Read(%q, %q) = %s, %t", header, date, wait, asked)
		}
	})
}
