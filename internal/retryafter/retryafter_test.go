package retryafter

import (
	"net/http"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 6, 20, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		header http.Header
		wait   time.Duration
		asked  bool
	}{
		"none":            {http.Header{}, 0, false},
		"blank":           {http.Header{"Retry-After": {" "}}, 0, false},
		"seconds":         {http.Header{"Retry-After": {"120"}}, 2 * time.Minute, true},
		"fraction":        {http.Header{"Retry-After": {"1.5"}}, 1500 * time.Millisecond, true},
		"zero":            {http.Header{"Retry-After": {"0"}}, time.Second, true},
		"negative":        {http.Header{"Retry-After": {"-5"}}, time.Second, true},
		"years":           {http.Header{"Retry-After": {"1e12"}}, 24 * time.Hour, true},
		"not a number":    {http.Header{"Retry-After": {"NaN"}}, 10 * time.Second, true},
		"words":           {http.Header{"Retry-After": {"soon"}}, 10 * time.Second, true},
		"date":            {http.Header{"Retry-After": {"Mon, 06 Jul 2026 20:01:30 GMT"}}, 90 * time.Second, true},
		"past date":       {http.Header{"Retry-After": {"Mon, 06 Jul 2026 19:00:00 GMT"}}, time.Second, true},
		"server's clock":  {http.Header{"Retry-After": {"Mon, 06 Jul 2026 22:00:30 GMT"}, "Date": {"Mon, 06 Jul 2026 22:00:00 GMT"}}, 30 * time.Second, true},
		"unreadable date": {http.Header{"Retry-After": {"Mon, 06 Jul 2026 20:00:30 GMT"}, "Date": {"today"}}, 30 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wait, asked := Read(tt.header, func() time.Time { return now })
			if wait != tt.wait || asked != tt.asked {
				t.Errorf("Read = %s, %t, want %s, %t", wait, asked, tt.wait, tt.asked)
			}
		})
	}
}
