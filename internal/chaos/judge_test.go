package chaos

import (
	"strings"
	"testing"
)

// TestBrokenPromisesAreFound gives the judge what a round must not come to.
func TestBrokenPromisesAreFound(t *testing.T) {
	t.Parallel()
	failed := func(code, message string) extraction {
		x := extraction{ID: "x", Status: "ERROR", Callback: &struct{ State string }{"delivered"}}
		x.Error = &struct{ Code, Message string }{code, message}
		return x
	}
	for name, tt := range map[string]struct {
		x      extraction
		times  []string
		events []string
		told   string
		want   string
	}{
		"fine":                    {x: failed("vendor_failed", "no"), times: []string{"v"}, events: []string{"e", "e"}, told: "ERROR"},
		"uncertain":               {x: failed("submit_uncertain", "the answer was lost"), events: []string{"e"}, told: "ERROR"},
		"uncertain, and no why":   {x: failed("submit_uncertain", ""), events: []string{"e"}, told: "ERROR", want: "without a reason"},
		"uncertain, and taken":    {x: failed("submit_uncertain", "the vendor does not list it"), times: []string{"v"}, events: []string{"e"}, told: "ERROR", want: "not found in time"},
		"an end of another kind":  {x: failed("internal", "no"), events: []string{"e"}, told: "ERROR", want: "is ERROR internal"},
		"no callback":             {x: failed("vendor_failed", "no"), want: "never came"},
		"a callback of two ids":   {x: failed("vendor_failed", "no"), events: []string{"e", "f"}, told: "ERROR", want: "under the ids"},
		"another end called back": {x: failed("vendor_failed", "no"), events: []string{"e"}, told: "SUCCESS", want: "called back as SUCCESS"},
		"not over":                {x: extraction{ID: "x", Status: "IN_PROGRESS"}, events: []string{"e"}, told: "IN_PROGRESS", want: "is IN_PROGRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &site{receiver: &receiver{events: map[string][]string{"x": tt.events}, ends: map[string]string{"x": tt.told}}}
			var r Report
			s.judgeOne(t.Context(), &r, &document{name: "d"}, tt.x, tt.times)
			got := strings.Join(r.Violations, "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("violations %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLedgerIsCompared lets the vendor have taken a document twice, one that no producer
// has, and the API have an extraction too many and one too few.
func TestLedgerIsCompared(t *testing.T) {
	t.Parallel()
	v, err := newVendor(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	v.taken = map[string][]string{"twice": {"a", "b"}, "foreign": {"c"}}
	s := &site{Config: Config{Dir: t.TempDir(), Binary: "/bin/false"}, vendor: v, receiver: newReceiver(), store: &volume{}, redisLine: &line{}}
	defer s.receiver.close()
	p := &producers{docs: []*document{
		{name: "one", digest: "twice", ids: []string{"x"}},
		{name: "two", digest: "never", ids: []string{"lost"}},
		{name: "three", digest: "three", ids: []string{"y", "z"}},
	}}
	got := strings.Join(s.judge(t.Context(), p, map[string]extraction{
		"x": {ID: "x", Status: "ERROR"}, "more": {ID: "more"},
	}).Violations, "\n")
	for _, want := range []string{"one (, [x]): paid 2 times", "two is lost", "three has the ids [y z]", "more is an extraction", "foreign as [c]", "doctor says nothing"} {
		if !strings.Contains(got, want) {
			t.Errorf("no violation says %q:\n%s", want, got)
		}
	}
}
