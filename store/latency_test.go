package store

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/extractq/extractq/extraction"
)

// What was learned weighs as much as the extractions seen.
func TestLearn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	learn := func(bin int, hook, list Told) {
		t.Helper()
		l := Lesson{Bins: map[int]float64{bin: 0.25, bin + 1: 0.75}, Hook: hook, List: list}
		if err := r.s.Learn(t.Context(), "acme", "w2s", l); err != nil {
			t.Fatal(err)
		}
	}
	weigh := func() (all, own Latency, n float64) {
		t.Helper()
		all, own, err := r.s.Latencies(t.Context(), "acme", "w2s")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range own.Bins {
			n += w
		}
		return all, own, n
	}
	if all, own, _ := weigh(); len(all.Bins)+len(own.Bins) != 0 {
		t.Errorf("before anything %+v, %+v", all, own)
	}
	for range 10 {
		learn(7, ToldTrue, ToldUnknown)
	}
	learn(9, ToldNot, ToldTrue)
	all, own, n := weigh()
	if math.Abs(n-11) > 1e-6 || math.Abs(own.Bins[9]-0.25) > 0.001 || math.Abs(own.Bins[8]-7.5) > 0.001 {
		t.Errorf("after eleven %v weigh %v", own.Bins, n)
	}
	// One that was missed before all others stands for not knowing.
	if math.Abs(all.HookMissed-2.0/12) > 1e-6 || math.Abs(all.ListMissed-0.5) > 1e-6 {
		t.Errorf("webhooks missed %v, lists %v", all.HookMissed, all.ListMissed)
	}
	if own.HookMissed != 1 || own.ListMissed != 1 {
		t.Errorf("a type knows of webhooks: %v, %v", own.HookMissed, own.ListMissed)
	}
	if math.Abs(all.Bins[8]-own.Bins[8]) > 1e-9 {
		t.Errorf("the account has seen %v", all.Bins)
	}
	if _, other, err := r.s.Latencies(t.Context(), "acme", "1099"); err != nil || len(other.Bins) != 0 {
		t.Errorf("another type has seen %v, %v", other.Bins, err)
	}
	if ttl := r.rdb.TTL(t.Context(), r.k.latency("w2s")).Val(); ttl < 89*24*time.Hour {
		t.Errorf("it is kept for %v", ttl)
	}
}

// Lessons are as old as their submissions, whenever their ends were seen; those that
// were not counted are the latest.
func TestLessonsAgeByTheirSubmission(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	learn := func(bin int, place int64) {
		t.Helper()
		l := Lesson{Bins: map[int]float64{bin: 1}, Order: Order{place, place}}
		if err := r.s.Learn(t.Context(), "acme", "w2s", l); err != nil {
			t.Fatal(err)
		}
	}
	weights := func(want map[int]float64) {
		t.Helper()
		all, own, err := r.s.Latencies(t.Context(), "acme", "w2s")
		if err != nil {
			t.Fatal(err)
		}
		for bin, w := range want {
			if math.Abs(own.Bins[bin]-w) > 0.001 || math.Abs(all.Bins[bin]-w) > 0.001 {
				t.Errorf("bin %d weighs %v in the type and %v in the account, want %v", bin, own.Bins[bin], all.Bins[bin], w)
			}
		}
	}
	learn(1, 1000)
	learn(2, 2000)
	learn(3, 1000) // Its end is seen late.
	learn(4, 0)
	weights(map[int]float64{1: 1 / math.E, 2: 1, 3: 1 / math.E, 4: 1})
	all, _, err := r.s.Latencies(t.Context(), "acme", "w2s")
	if err != nil || all.Latest != 2000 || math.Abs(all.Weigh(3000)-math.E) > 1e-9 || all.Weigh(0) != 1 || all.Weigh(1e6) > 100 {
		t.Errorf("the latest is %d, one 1,000 later weighs %v, %v", all.Latest, all.Weigh(3000), err)
	}
	// Much later the numbers are put to scale, and what weighs nothing is forgotten.
	learn(5, 17_500)
	learn(6, 16_500)
	weights(map[int]float64{1: 0, 2: 0, 5: 1, 6: 1 / math.E})
	learn(7, 40_000)
	learn(8, 39_000)
	weights(map[int]float64{5: 0, 7: 1, 8: 1 / math.E})
	if _, there := r.rdb.HGetAll(t.Context(), r.k.latency("w2s")).Val()["1"]; there {
		t.Error("what weighs nothing is still there")
	}
}

// An operator that deletes what was learned while documents are on their way loses that,
// and no more: those submitted from then on are learned from, although the count began anew and
// the places of those on their way are far ahead of it.
func TestLearnAfterDeletion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	submit := func() Order {
		t.Helper()
		o, err := r.s.NextOrder(t.Context(), "acme", "w2s")
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	learn := func(bin int, o Order) {
		t.Helper()
		if err := r.s.Learn(t.Context(), "acme", "w2s", Lesson{Bins: map[int]float64{bin: 1}, Order: o}); err != nil {
			t.Fatal(err)
		}
	}
	submit()
	learn(1, Order{100_000, 50_000}) // On its way when the keys were deleted.
	for range 10 {
		learn(2, submit())
	}
	all, own, err := r.s.Latencies(t.Context(), "acme", "w2s")
	if err != nil || all.Bins[2] < 9 || own.Bins[2] < 9 {
		t.Errorf("ten later lessons weigh %v in the account and %v in the type, %v", all.Bins[2], own.Bins[2], err)
	}
}

// Submissions are counted in the account and in their type, and what is never learned
// of goes again.
func TestNextOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, tt := range []struct {
		label string
		want  Order
	}{{"a", Order{1, 1}}, {"b", Order{2, 1}}, {"a", Order{3, 2}}} {
		got, err := r.s.NextOrder(t.Context(), "acme", tt.label)
		if err != nil || got != tt.want || parseOrder(got.String()) != got {
			t.Errorf("a submission of type %s is %v, %v, want %v", tt.label, got, err, tt.want)
		}
	}
	if ttl := r.rdb.TTL(t.Context(), r.k.latency("b")).Val(); ttl < 89*24*time.Hour {
		t.Errorf("the count is kept for %v", ttl)
	}
	if _, own, err := r.s.Latencies(t.Context(), "acme", "b"); err != nil || len(own.Bins) != 0 {
		t.Errorf("a count is taken for a latency: %v, %v", own, err)
	}
}

// What is at the vendor is found with its type and age, and no more of it is read
// than a sample.
func TestRunning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got, each, err := r.s.Running(t.Context(), "acme")
	if err != nil || len(got) != 0 || each != 1 {
		t.Errorf("where nothing runs: %v, %v, %v", got, each, err)
	}
	r.begin(r.create())
	r.create() // Waits.
	r.rdb.ZIncrBy(t.Context(), r.k.inFlight(), -5000, r.rdb.ZRange(t.Context(), r.k.inFlight(), 0, 0).Val()[0])
	got, each, err = r.s.Running(t.Context(), "acme")
	if err != nil || len(got) != 1 || each != 1 || got[0].Label != "tax_forms" {
		t.Fatalf("one runs: %v, %v, %v", got, each, err)
	}
	if got[0].Age < 4*time.Second || got[0].Age > time.Minute {
		t.Errorf("it has been running for %v", got[0].Age)
	}
	// One whose record is gone counts for nothing and keeps the others.
	r.rdb.ZAdd(t.Context(), r.k.inFlight(), z(float64(time.Now().UnixMilli()), "gone"))
	if got, _, err := r.s.Running(t.Context(), "acme"); err != nil || len(got) != 1 {
		t.Errorf("beside one that is gone: %v, %v", got, err)
	}
}

// One that is at the vendor is known not to have finished up to the last answer "not
// yet", however long it has been running.
func TestRunningIsKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	known := func() time.Duration {
		t.Helper()
		got, _, err := r.s.Running(t.Context(), "acme")
		if err != nil || len(got) != 1 {
			t.Fatalf("one runs: %v, %v", got, err)
		}
		return got[0].Known
	}
	submitted := time.Now().Add(-time.Minute)
	f := r.next(r.begin(r.create()).Fence, extraction.StepPoll, new(Change).Vendor("v-1").SubmittedAt(submitted))
	if got := known(); got != 0 {
		t.Errorf("it was never polled, and it is known to have taken %v", got)
	}
	r.next(r.begin(f).Fence, extraction.StepPoll, new(Change).Order(Order{7, 3}).NotYetAt(submitted.Add(8500*time.Millisecond)))
	if got, _, err := r.s.Running(t.Context(), "acme"); err != nil || got[0].Order != (Order{7, 3}) {
		t.Errorf("its place is not known: %+v, %v", got, err)
	}
	if got := known(); got != 8500*time.Millisecond {
		t.Errorf("it had not finished after 8.5 s, and is known to have taken %v", got)
	}
}

// The label of a portfolio is none of a single type, and never the account's.
func TestTypeLabel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		in := Input{Type: rapid.StringN(1, 20, 40).Draw(rt, "type")}
		if in.TypeLabel() == "" {
			rt.Fatal("a type without a label")
		}
	})
	if got := (Input{Types: []string{"a", "b"}}).TypeLabel(); got != "a+b" {
		t.Errorf("label %q", got)
	}
}

// What is seen on trial outweighs what was believed of the lists before.
func TestTrialOutweighs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	learn := func(times int, l Lesson) Latency {
		t.Helper()
		for range times {
			if err := r.s.Learn(t.Context(), "acme", "w2s", l); err != nil {
				t.Fatal(err)
			}
		}
		all, _, err := r.s.Latencies(t.Context(), "acme", "w2s")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := learn(1000, Lesson{List: ToldNot}); all.ListMissed != 1 || all.ListEnds != 1000 {
		t.Errorf("of %d ends %v were missed, want all of 1,000", all.ListEnds, all.ListMissed)
	}
	if all := learn(8, Lesson{List: ToldTrue, Trial: true}); math.Abs(all.ListMissed-math.Pow(5.0/6, 8)) > 1e-6 {
		t.Errorf("after eight on trial they miss %v", all.ListMissed)
	}
	if all := learn(1, Lesson{List: ToldNot}); all.ListMissed > 0.3 {
		t.Errorf("one that was missed then makes it %v", all.ListMissed)
	}
}
