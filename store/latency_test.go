package store

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/extractq/extractq/extraction"
)

// What was learned weighs as much as the extractions seen, however many, up to the
// thousand that are remembered; the newest weighs one.
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
	if n < 10.9 || n > 11 || math.Abs(own.Bins[9]-0.25) > 0.001 || math.Abs(own.Bins[8]-7.5) > 0.1 {
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

	// Long after the numbers were put to scale, several times, the old is forgotten.
	r.rdb.HSet(t.Context(), r.k.latency("w2s"), "w", "999999.5", "50", "2e6")
	for range 3 {
		learn(20, ToldUnknown, ToldUnknown)
	}
	_, own, _ = weigh()
	if own.Bins[50] < 1.9 || own.Bins[50] > 2 || math.Abs(own.Bins[21]-2.25) > 0.01 {
		t.Errorf("after scaling %v", own.Bins)
	}
	if _, there := own.Bins[9]; there {
		t.Errorf("what weighs nothing is still there: %v", own.Bins)
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
	if got[0].Age < 5*time.Second || got[0].Age > time.Minute {
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
		t.Errorf("nobody has asked for it, and it is known to have taken %v", got)
	}
	r.next(r.begin(f).Fence, extraction.StepPoll, new(Change).NotYetAt(submitted.Add(8500*time.Millisecond)))
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
