package backfill

import (
	"strings"
	"testing"
	"time"
)

func TestPlanEstimate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plan     Plan
		inFlight int
		calls    int
		seconds  float64
	}{
		// Polls after 3, 6, 10 and 15.2 s.
		"a weekend":           {Plan{Submit: 20000, rate: 1}, 500, 100000, 100000},
		"what is at a vendor": {Plan{Submit: 10, AtVendor: 5, rate: 1}, 500, 10 + 15*4, 70},
		"a few":               {Plan{Submit: 2, rate: 10}, 500, 10, 15},
		"few at once":         {Plan{Submit: 1000, rate: 1000}, 10, 5000, 1500},
		"no limits":           {Plan{Submit: 1000}, 0, 5000, 15},
		"nothing":             {Plan{Done: 7, Failed: 1, rate: 1}, 500, 0, 0},
	} {
		p := test.plan
		p.estimate(time.Second, time.Hour, test.inFlight)
		if p.VendorCalls != test.calls || p.Seconds != test.seconds {
			t.Errorf("%s: %d calls in %v s, want %d in %v s", name, p.VendorCalls, p.Seconds, test.calls, test.seconds)
		}
	}
}

func TestPlanPrint(t *testing.T) {
	t.Parallel()
	p := Plan{
		Documents: 20010, Bytes: 8_581_740_000, URLs: 2, Refused: 3, Done: 7, Failed: 1, AtVendor: 2, Submit: 20000,
		skipped: "; 1 file skipped (not a document)", rate: 1,
	}
	p.estimate(time.Second, time.Hour, 500)
	var b strings.Builder
	if err := p.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = `documents      20010; 1 file skipped (not a document)
size           8.6 GB, and what is at 2 URLs
refused        3, named above
earlier runs   7 have their result, 1 ended otherwise, 2 are at the vendor
to submit      20000
vendor calls   about 100008: 20000 to submit, and 4 for each result
time           about 27h47m at 1.0/s, if a document takes 15s
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
