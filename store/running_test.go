package store

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/extractq/extractq/extraction"
)

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
	r.next(r.begin(f).Fence, extraction.StepPoll, new(Change).SubmitSeq(SubmitSeq{7, 3}).NotYetAt(submitted.Add(8500*time.Millisecond)))
	if got, _, err := r.s.Running(t.Context(), "acme"); err != nil || got[0].SubmitSeq != (SubmitSeq{7, 3}) {
		t.Errorf("its sequence number is not known: %+v, %v", got, err)
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

// A sequence number is read as it was written.
func TestSubmitSeq(t *testing.T) {
	t.Parallel()
	for _, want := range []SubmitSeq{{}, {3, 1}} {
		if got := parseSubmitSeq(want.String()); got != want {
			t.Errorf("%v is read as %v", want, got)
		}
	}
}
