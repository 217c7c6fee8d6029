package polling

import (
	"math"
	"testing"
	"time"

	"github.com/extractq/extractq/store"
)

// What was learned weighs as much as the extractions seen.
func TestRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	learn := func(bin int, hook, list Notified) {
		t.Helper()
		l := Observation{Bins: map[int]float64{bin: 0.25, bin + 1: 0.75}, Hook: hook, List: list}
		if err := r.s.Record(t.Context(), "acme", "w2s", l); err != nil {
			t.Fatal(err)
		}
	}
	weigh := func() (all, own History, n float64) {
		t.Helper()
		all, own, err := r.s.Histories(t.Context(), "acme", "w2s")
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
		learn(7, NotifiedYes, NotifiedUnknown)
	}
	learn(9, NotifiedNo, NotifiedYes)
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
	if _, other, err := r.s.Histories(t.Context(), "acme", "1099"); err != nil || len(other.Bins) != 0 {
		t.Errorf("another type has seen %v, %v", other.Bins, err)
	}
	if ttl := r.rdb.TTL(t.Context(), historyKey("acme", "w2s")).Val(); ttl < 89*24*time.Hour {
		t.Errorf("it is kept for %v", ttl)
	}
}

// Observations are as old as their submissions, whenever their ends were seen; those that
// were not counted are the latest.
func TestObservationsAgeByTheirSubmission(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	learn := func(bin int, seq int64) {
		t.Helper()
		l := Observation{Bins: map[int]float64{bin: 1}, Seq: store.SubmitSeq{Account: seq, Type: seq}}
		if err := r.s.Record(t.Context(), "acme", "w2s", l); err != nil {
			t.Fatal(err)
		}
	}
	weights := func(want map[int]float64) {
		t.Helper()
		all, own, err := r.s.Histories(t.Context(), "acme", "w2s")
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
	all, _, err := r.s.Histories(t.Context(), "acme", "w2s")
	if err != nil || all.Latest != 2000 || math.Abs(all.weightOf(3000)-math.E) > 1e-9 || all.weightOf(0) != 1 || all.weightOf(1e6) > 100 {
		t.Errorf("the latest is %d, one 1,000 later weighs %v, %v", all.Latest, all.weightOf(3000), err)
	}
	// Much later the numbers are put to scale, and what weighs nothing is forgotten.
	learn(5, 17_500)
	learn(6, 16_500)
	weights(map[int]float64{1: 0, 2: 0, 5: 1, 6: 1 / math.E})
	learn(7, 40_000)
	learn(8, 39_000)
	weights(map[int]float64{5: 0, 7: 1, 8: 1 / math.E})
	if _, there := r.rdb.HGetAll(t.Context(), historyKey("acme", "w2s")).Val()["1"]; there {
		t.Error("what weighs nothing is still there")
	}
}

// An operator that deletes what was learned while documents are on their way loses that,
// and no more: those submitted from then on are learned from, although the count began anew and
// the numbers of those on their way are far ahead of it.
func TestRecordAfterDeletion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	submit := func() store.SubmitSeq {
		t.Helper()
		o, err := r.s.TakeSeqs(t.Context(), "acme", "w2s", 1)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	learn := func(bin int, o store.SubmitSeq) {
		t.Helper()
		if err := r.s.Record(t.Context(), "acme", "w2s", Observation{Bins: map[int]float64{bin: 1}, Seq: o}); err != nil {
			t.Fatal(err)
		}
	}
	submit()
	learn(1, store.SubmitSeq{Account: 100_000, Type: 50_000}) // On its way when the keys were deleted.
	for range 10 {
		learn(2, submit())
	}
	all, own, err := r.s.Histories(t.Context(), "acme", "w2s")
	if err != nil || all.Bins[2] < 9 || own.Bins[2] < 9 {
		t.Errorf("ten later observations weigh %v in the account and %v in the type, %v", all.Bins[2], own.Bins[2], err)
	}
}

// Submissions are counted in the account and in their type, and what is never learned
// of goes again.
func TestNextSeq(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, tt := range []struct {
		label string
		want  store.SubmitSeq
	}{{"a", store.SubmitSeq{Account: 1, Type: 1}}, {"b", store.SubmitSeq{Account: 2, Type: 1}}, {"a", store.SubmitSeq{Account: 3, Type: 2}}} {
		got, err := r.s.TakeSeqs(t.Context(), "acme", tt.label, 1)
		if err != nil || got != tt.want {
			t.Errorf("a submission of type %s is %v, %v, want %v", tt.label, got, err, tt.want)
		}
	}
	if ttl := r.rdb.TTL(t.Context(), historyKey("acme", "b")).Val(); ttl < 89*24*time.Hour {
		t.Errorf("the count is kept for %v", ttl)
	}
	if _, own, err := r.s.Histories(t.Context(), "acme", "b"); err != nil || len(own.Bins) != 0 {
		t.Errorf("a count is taken for a latency: %v, %v", own, err)
	}
}

// What is seen on probation outweighs what was believed of the lists before.
func TestProbationOutweighs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	learn := func(times int, l Observation) History {
		t.Helper()
		for range times {
			if err := r.s.Record(t.Context(), "acme", "w2s", l); err != nil {
				t.Fatal(err)
			}
		}
		all, _, err := r.s.Histories(t.Context(), "acme", "w2s")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := learn(1000, Observation{List: NotifiedNo}); all.ListMissed != 1 || all.ListEnds != 1000 {
		t.Errorf("of %d ends %v were missed, want all of 1,000", all.ListEnds, all.ListMissed)
	}
	if all := learn(8, Observation{List: NotifiedYes, Probation: true}); math.Abs(all.ListMissed-math.Pow(5.0/6, 8)) > 1e-6 {
		t.Errorf("after eight on probation they miss %v", all.ListMissed)
	}
	if all := learn(1, Observation{List: NotifiedNo}); all.ListMissed > 0.3 {
		t.Errorf("one that was missed then makes it %v", all.ListMissed)
	}
}
