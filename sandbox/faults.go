package sandbox

import (
	"time"

	"github.com/extractq/extractq/sandbox/internal/fault"
)

// Fault is what happens to some calls: a refusal, a broken connection, a cut or
// late answer. ParseFault makes it. With the same seed the nth call of a kind has
// the same fate in every run.
type Fault struct{ rule fault.Rule }

// ParseFault reads OP:KIND=PROBABILITY, as in "poll:500=0.1" or "*:slow:10s=0.05".
// OP is submit, upload, poll, list or *; KIND is one of
//
//	429          with Retry-After, not handled (503 SlowDown for an upload)
//	500          in the vendor's words, not handled
//	502          with a proxy's HTML, not handled
//	drop-before  the connection breaks, not handled
//	drop-after   handled, then the connection breaks
//	truncated    handled, the first half of the answer
//	slow[:TIME]  handled, the answer comes after TIME (5s)
func ParseFault(s string) (Fault, error) {
	rule, err := fault.Parse(s)
	return Fault{rule}, err
}

// String is the form that ParseFault reads.
func (f Fault) String() string { return f.rule.String() }

func rulesOf(faults []Fault) []fault.Rule {
	var rules []fault.Rule
	for _, f := range faults {
		rules = append(rules, f.rule)
	}
	return rules
}

// scaled is a clock that goes scale times as fast as now, from now on.
func scaled(now func() time.Time, scale float64) func() time.Time {
	if scale == 1 {
		return now
	}
	start := now()
	return func() time.Time {
		// Beyond what a Duration holds the clock stands still.
		passed := min(float64(now().Sub(start))*scale, float64(maxPassed))
		return start.Add(time.Duration(passed))
	}
}

// maxPassed is how far a scaled clock goes: 200 years.
const maxPassed = 200 * 365 * 24 * time.Hour
