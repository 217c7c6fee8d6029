package sensible_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/sensible"
)

// TestReadyInVendorTime asks a vendor for its list whose clock is a minute behind: what it
// made a moment ago was made a minute ago, as it says. Dates that make no sense change
// nothing, before that is known and after.
func TestReadyInVendorTime(t *testing.T) {
	t.Parallel()
	const behind = time.Minute
	since := time.Now().Add(-5 * time.Second)
	made := since.Add(-behind) // By the vendor's clock, and not before since by ours.
	var date []string          // Of the next answer.
	var asked time.Time        // By the request before.
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if asked, err = time.Parse(time.RFC3339, r.URL.Query().Get("start_date")); err != nil {
			t.Error(err)
		}
		w.Header()["Date"] = date
		if made.Before(asked) {
			_, _ = fmt.Fprint(w, `{"extractions":[]}`)
			return
		}
		_, _ = fmt.Fprint(w, `{"extractions":[{"id":"ours","status":"COMPLETE"}]}`)
	}))
	t.Cleanup(srv.Close)
	c := newClient(t, sensible.Config{BaseURL: srv.URL})
	ready := func(dates ...string) int {
		t.Helper()
		date = dates
		page, err := c.Ready(t.Context(), extraction.ReadyQuery{Since: since})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Items)
	}
	now := func(off time.Duration) string { return time.Now().Add(off).UTC().Format(http.TimeFormat) }
	nonsense := [][]string{nil, {""}, {"yesterday"}, {"Thu, 01 Jan 1970 00:00:00 GMT"}, {now(10 * 365 * 24 * time.Hour)}, {now(time.Minute)}}
	for _, dates := range nonsense {
		ready(dates...)
		if ready(dates...); !asked.Equal(since.Truncate(time.Millisecond)) {
			t.Errorf("after the date %q what is younger than %v is asked for, want %v", dates, asked, since)
		}
	}
	ready(now(-behind))
	if n := ready(now(-behind)); n != 1 {
		t.Errorf("%d are found with what is younger than %v by a clock that is a minute behind, want the one made at %v", n, asked, made)
	}
	for _, dates := range nonsense[:5] {
		ready(dates...)
		if n := ready(dates...); n != 1 {
			t.Errorf("after the date %q %d are found, want one still", dates, n)
		}
	}
}
