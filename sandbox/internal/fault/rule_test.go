package fault

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Rule{
		"submit:429=0.5":       {Submit, TooMany, 0, 0.5},
		"upload:drop-before=1": {Upload, DropBefore, 0, 1},
		"poll:slow=0":          {Poll, Slow, 5 * time.Second, 0},
		"*:slow:250ms=0.01":    {Any, Slow, 250 * time.Millisecond, 0.01},
		"list:truncated=1e-3":  {List, Truncated, 0, 0.001},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := Parse(got.String()); err != nil || again != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", got.String(), again, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                      "want OP:KIND=PROBABILITY",
		"poll=0.5":              "want OP:KIND=PROBABILITY",
		"poll:500":              "want OP:KIND=PROBABILITY",
		"sweep:500=1":           "the op must be",
		"poll:404=1":            "the kind must be",
		"poll:500:1s=1":         "only slow has a time",
		"poll:slow:soon=1":      "the time must be",
		"poll:slow:2h=1":        "the time must be",
		"poll:500=1.5":          "from 0 to 1",
		"poll:500=NaN":          "from 0 to 1",
		"upload:truncated=0.5":  "an upload is answered with nothing",
		"poll:500=0.5,list:1=1": "from 0 to 1",
	} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %+v, %v, want an error with %q", text, got, err, want)
		}
	}
}

// TestFateRepeats draws the fates of many calls: they are the same in a second
// run, whatever happens between them to other ops, others with another seed, and
// about as many as asked for.
func TestFateRepeats(t *testing.T) {
	t.Parallel()
	rules := []Rule{{Poll, Internal, 0, 0.2}, {Any, Truncated, 0, 0.1}}
	draw := func(seed uint64, between bool) (fates []Kind, hits map[Kind]int) {
		i := New(rules, seed, slog.New(slog.DiscardHandler))
		hits = map[Kind]int{}
		for range 10_000 {
			rule, _ := i.fate("v", Poll)
			fates = append(fates, rule.Kind)
			hits[rule.Kind]++
			if between {
				i.fate("v", Submit)
				i.fate("other", Poll)
			}
		}
		return fates, hits
	}
	first, hits := draw(7, false)
	if second, _ := draw(7, true); !cmp.Equal(first, second) {
		t.Error("another run with the same seed has other fates")
	}
	if other, _ := draw(8, false); cmp.Equal(first, other) {
		t.Error("another seed has the same fates")
	}
	// A tenth of the four fifths that the first rule leaves.
	for kind, want := range map[Kind]int{Internal: 2000, Truncated: 800} {
		if n := hits[kind]; n < want*9/10 || n > want*11/10 {
			t.Errorf("%s happened %d times, want about %d", kind, n, want)
		}
	}
	i := New(rules[1:], 7, slog.New(slog.DiscardHandler))
	for range 1000 {
		if rule, ok := i.fate("v", Upload); ok {
			t.Fatalf("an upload draws %s, which it cannot have", rule)
		}
	}
}
