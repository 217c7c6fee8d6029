package vendorhttp

import (
	"net/http"
	"testing"
	"time"
)

func TestVendorClock(t *testing.T) {
	t.Parallel()
	// Our clock when all requests are sent, in the middle of a second.
	sent := time.Date(2026, 7, 6, 20, 0, 0, 500_000_000, time.UTC)
	at := func(d time.Duration) string { return sent.Add(d).UTC().Format(http.TimeFormat) }
	type answer struct {
		date  string
		after time.Duration
	}
	quick := func(d time.Duration) answer { return answer{at(d), 100 * time.Millisecond} }
	minuteBehind := quick(-time.Minute)
	for name, tt := range map[string]struct {
		answers []answer
		want    time.Duration
	}{
		"nothing known":             {nil, 0},
		"right":                     {[]answer{quick(0)}, 0},
		"right, a slow answer":      {[]answer{{at(0), 20 * time.Second}}, 0},
		"right, a second begins":    {[]answer{{at(time.Second), time.Second}}, 0},
		"ahead":                     {[]answer{quick(time.Minute)}, 0},
		"a minute behind":           {[]answer{minuteBehind}, 60_600 * time.Millisecond},
		"and two":                   {[]answer{minuteBehind, quick(-2 * time.Minute)}, 120_600 * time.Millisecond},
		"and right again":           {[]answer{minuteBehind, quick(0)}, 600 * time.Millisecond},
		"and ahead":                 {[]answer{minuteBehind, quick(time.Minute)}, 0},
		"slow at first":             {[]answer{{at(-time.Minute), 5 * time.Second}, minuteBehind}, 60_600 * time.Millisecond},
		"slow later":                {[]answer{minuteBehind, {at(-time.Minute), 5 * time.Second}}, 60_600 * time.Millisecond},
		"so slow that all may be":   {[]answer{minuteBehind, {at(0), 2 * time.Minute}}, 60_600 * time.Millisecond},
		"none":                      {[]answer{minuteBehind, {"", 0}}, 60_600 * time.Millisecond},
		"not a date":                {[]answer{minuteBehind, {"soon", 0}}, 60_600 * time.Millisecond},
		"years ago":                 {[]answer{minuteBehind, {"Thu, 01 Jan 1970 00:00:00 GMT", 0}}, 60_600 * time.Millisecond},
		"in years":                  {[]answer{minuteBehind, {"Fri, 01 Jan 2100 00:00:00 GMT", 0}}, 60_600 * time.Millisecond},
		"nothing but years ago":     {[]answer{{"Thu, 01 Jan 1970 00:00:00 GMT", 0}}, 0},
		"older than dates can tell": {[]answer{{"Mon, 01 Jan 0001 00:00:00 GMT", 0}}, 0},
		"later than they can":       {[]answer{{"Fri, 31 Dec 9999 23:59:59 GMT", 0}}, 0},
	} {
		c := &Client{}
		for _, a := range tt.answers {
			c.clock.learn(a.date, sent, sent.Add(a.after))
		}
		if got := c.Behind(); got != tt.want {
			t.Errorf("%s: %v behind, want %v", name, got, tt.want)
		}
	}
}
