package polling

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/store"
)

// many are observations as a busy account makes them: of early and late submissions, seen
// in another order, with and without notifications and places.
func many() []Observation {
	var out []Observation
	for i := range 40 {
		o := Observation{Bins: map[int]float64{i % 7: 0.4, 10: 0.6}, Seq: store.SubmitSeq{Account: int64(500 + i*37%40*50), Type: int64(100 + i*37%40*30)}}
		o.Hook = []Notified{NotifiedUnknown, NotifiedYes, NotifiedNo}[i%3]
		o.List = []Notified{NotifiedNo, NotifiedUnknown, NotifiedYes, NotifiedYes}[i%4]
		if i == 39 {
			o.Seq = store.SubmitSeq{}
		}
		out = append(out, o)
	}
	return out
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Max(1, math.Abs(a)) }

// What is written together is learned as if it were written one by one.
func TestGatheredAsOneByOne(t *testing.T) {
	t.Parallel()
	one, all := newRig(t), newRig(t)
	for _, o := range many() {
		if err := one.s.Record(t.Context(), "acme", "w2s", o); err != nil {
			t.Fatal(err)
		}
	}
	if err := all.s.Record(t.Context(), "acme", "w2s", many()...); err != nil {
		t.Fatal(err)
	}
	wantAll, wantOwn, err := one.s.Histories(t.Context(), "acme", "w2s")
	if err != nil {
		t.Fatal(err)
	}
	gotAll, gotOwn, err := all.s.Histories(t.Context(), "acme", "w2s")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []struct{ got, want History }{{gotAll, wantAll}, {gotOwn, wantOwn}} {
		if h.got.Latest != h.want.Latest || !near(h.got.HookMissed, h.want.HookMissed) ||
			!near(h.got.ListMissed, h.want.ListMissed) || h.got.ListEnds != h.want.ListEnds || len(h.got.Bins) != len(h.want.Bins) {
			t.Errorf("got %+v, want %+v", h.got, h.want)
		}
		for bin, w := range h.want.Bins {
			if w == 0 || !near(h.got.Bins[bin], w) {
				t.Errorf("bin %d weighs %v, want %v", bin, h.got.Bins[bin], w)
			}
		}
	}
}

// go-redis repeats a script whose answer was lost: what was learned counts once.
func TestRepeatedWriteCountsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	keys := []string{historyKey("acme", ""), historyKey("acme", "w2s")}
	for range 2 {
		err := observeScript.Run(t.Context(), r.rdb, keys, "token", memory, 60, "1", "", listEnds, 0, 1, 7, 1, 0, 1, 7, 1).Err()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, own, err := r.s.Histories(t.Context(), "acme", "w2s")
	if err != nil || !near(own.Bins[7], 1) {
		t.Errorf("it weighs %v, %v, want 1", own.Bins[7], err)
	}
}

// What ends within a second is written by one script: with the second, or when the worker
// stops.
func TestObservationsAreGathered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.planner()
	weight := func() (n float64) {
		t.Helper()
		_, own, err := r.s.Histories(t.Context(), "acme", "w2s")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range own.Bins {
			n += w
		}
		return n
	}
	end := func() {
		now := time.Now()
		p.Observe(t.Context(), p.Forecast(t.Context(), "w2s"), Ended{Label: "w2s", SubmittedAt: now.Add(-time.Minute), SeenAt: now, FinishedAt: now})
	}
	for range 30 {
		end()
	}
	p.Flush(t.Context())
	if got := weight(); !near(got, 30) {
		t.Errorf("after the flush it weighs %v, want 30", got)
	}
	p.Flush(t.Context()) // There is nothing left.
	end()
	for began := time.Now(); !near(weight(), 31); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("it weighs %v, want 31", weight())
		}
	}
}

// Many submissions take their numbers together, few one by one; none has that of another.
func TestNumbersOfSubmissions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, other := r.planner(), r.planner()
	seen := map[int64]bool{}
	take := func(p *Planner) int64 {
		t.Helper()
		got, err := p.NextSeq(t.Context(), "w2s")
		if err != nil || got.Account == 0 || got.Type != got.Account || seen[got.Account] {
			t.Fatalf("the number is %+v, %v", got, err)
		}
		seen[got.Account] = true
		return got.Account
	}
	for range 300 {
		take(p)
		take(other)
	}
	stats := r.rdb.InfoMap(t.Context(), "commandstats").Val()["Commandstats"]["cmdstat_hincrby"]
	if n, _, _ := strings.Cut(strings.TrimPrefix(stats, "calls="), ","); number(n) == 0 || number(n) > 200 { // Two for each look; a slow machine takes more of them.
		t.Errorf("600 numbers took %s counts", n)
	}
	last := p.cached("w2s").numbers
	last.at = last.at.Add(-2 * gatherFor) // A silent second.
	highest := int64(0)
	for n := range seen {
		highest = max(highest, n)
	}
	if got := take(p); got <= highest {
		t.Errorf("a later submission has the number %d, and an earlier one %d", got, highest)
	}
	last.size, last.left, last.at = 1, 0, last.at.Add(-2*gatherFor)
	before := r.rdb.HGet(t.Context(), historyKey("acme", "w2s"), "n").Val()
	take(p)
	if after := r.rdb.HGet(t.Context(), historyKey("acme", "w2s"), "n").Val(); number(after) != number(before)+1 {
		t.Errorf("one submission took the count from %s to %s", before, after)
	}
}
