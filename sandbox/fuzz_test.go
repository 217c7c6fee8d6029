package sandbox

import (
	"testing"

	"github.com/extractq/extractq/sandbox/internal/fault"
)

// What a flag or a file of rules says is taken whole or refused, and reads again as itself.
func FuzzFlags(f *testing.F) {
	f.Add("lognormal:14s,0.54")
	f.Add("0.9*2s+0.1*exponential:1m")
	f.Add("poll:500=0.1")
	f.Add("*:slow:10s=0.05")
	f.Add("1*uniform:0s,1ns")
	f.Add("tax: {fields: {ssn: '[0-9]+'}}")
	f.Add("a: &a {fields: *a}")
	f.Fuzz(func(t *testing.T, s string) {
		if l, err := ParseLatency(s); err == nil {
			if again, err := ParseLatency(l.String()); err != nil || again.String() != l.String() {
				t.Errorf("%q is %q, read again %q, %v", s, l, again, err)
			}
		}
		if r, err := fault.Parse(s); err == nil {
			if again, err := fault.Parse(r.String()); err != nil || again != r {
				t.Errorf("%q is %q, read again %q, %v", s, r, again, err)
			}
		}
		if rules, err := ParseRulesYAML("rules.yaml", []byte(s)); err == nil {
			if len(rules) == 0 {
				t.Errorf("%q: no rules and no error", s)
			}
		}
	})
}
