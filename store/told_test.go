package store

import (
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
)

// What a record says of itself ends with the state that it is about.

// because is why an extraction waits, as it is shown.
func (r *rig) because(f Fence) extraction.Because {
	r.t.Helper()
	next := r.get(f).Extraction().Next
	if next == nil {
		r.t.Fatalf("%s has nothing next", f.Input.ID)
	}
	return next.Because
}

// What has its turn does not say any more why it stood in the line, and is due.
func TestReleasedWaitsNoLonger(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		why  extraction.Because
		hold func(r *rig)
	}{
		{extraction.BecauseAccountPaused, func(r *rig) { r.rdb.HSet(t.Context(), r.k.state(), "reason", "quota") }},
		{extraction.BecauseInFlight, func(r *rig) { r.window(Window{Released: 1, InFlight: 0}) }},
		{extraction.BecauseRate, func(r *rig) { r.window(Window{Released: 0, InFlight: 9, Because: extraction.BecauseRate}) }},
	} {
		r := newRig(t)
		tt.hold(r)
		f := r.create()
		if got := r.because(f); got != tt.why {
			t.Errorf("in the line it waits because of %s, want %s", got, tt.why)
		}
		r.hset(f, fieldDue, 1000)
		r.window(wide)
		r.rdb.HDel(t.Context(), r.k.state(), "reason")
		if got := r.release(10); len(got) != 1 {
			t.Fatalf("%s: released %v", tt.why, got)
		}
		next := r.get(f).Extraction().Next
		if next.Because != extraction.BecauseScheduled || time.Since(next.At.Time) > time.Hour {
			t.Errorf("released, it waits since %v because of %s, and did because of %s", next.At, next.Because, tt.why)
		}
		// A line that names what is gone makes no record of it.
		r.rdb.Del(t.Context(), r.k.record(f.Input.ID), r.k.detail(f.Input.ID))
		r.rdb.ZAdd(t.Context(), r.k.line(), z(0, "n/"+f.Input.ID))
		r.rdb.ZAdd(t.Context(), r.k.turns(), z(1, "n/"))
		r.release(10)
		if n := r.rdb.Exists(t.Context(), r.k.record(f.Input.ID)).Val(); n != 0 {
			t.Errorf("%s: a release made a record", tt.why)
		}
	}
}

// While a worker is at a step, it does not wait for what it waited for before.
func TestStepUnderWayWaitsForNothing(t *testing.T) {
	t.Parallel()
	for _, why := range []extraction.Because{
		extraction.BecauseRate, extraction.BecauseInFlight, extraction.BecauseAccountPaused, extraction.BecauseRetry,
	} {
		r := newRig(t)
		f := r.create()
		at, err := r.s.Next(t.Context(), r.begin(f).Fence, extraction.StepSubmit, 0, why, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.because(f); got != why {
			t.Errorf("sent back because of %s, it says %s", why, got)
		}
		f.Seq, f.Token = at.Seq, NewToken()
		if got := r.begin(f).Record.Because; got != why {
			t.Errorf("its worker is told %s, want %s", got, why)
		}
		if got := r.because(f); got != extraction.BecauseScheduled {
			t.Errorf("under way, it waits because of %s", got)
		}
	}
}

// Trouble is over when a step says so, whatever the record went through since: a place in
// the line, or another extraction's search. Where there was none, nothing is kept.
func TestTroubleEnds(t *testing.T) {
	t.Parallel()
	trouble := extraction.Trouble{Code: extraction.CodeInternal, Message: "the document store fails", At: extraction.FromMillis(1000)}
	first, second := time.UnixMilli(2000), time.UnixMilli(3000)
	for _, tt := range []struct {
		name    string
		changes []*Change
		want    int64
	}{
		{"it lasts", []*Change{new(Change).Trouble(trouble)}, 0},
		{"over", []*Change{new(Change).Trouble(trouble), new(Change).TroubleOver(first)}, 2000},
		{"over for long", []*Change{new(Change).Trouble(trouble), new(Change).TroubleOver(first), new(Change).TroubleOver(second)}, 2000},
		{"again", []*Change{new(Change).Trouble(trouble), new(Change).TroubleOver(first), new(Change).Trouble(trouble)}, 0},
		{"over before it came", []*Change{new(Change).TroubleOver(first), new(Change).Trouble(trouble)}, 0},
		{"with what it overcame", []*Change{new(Change).TroubleOver(first).Trouble(trouble)}, 0},
	} {
		r := newRig(t)
		f := r.begin(r.create()).Fence
		for _, c := range tt.changes {
			r.want(tt.name, r.s.Mark(t.Context(), f, c), nil)
		}
		if got := r.get(f).Trouble; got == nil || got.OverAt.Millis() != tt.want {
			t.Errorf("%s: %+v, want it over at %d", tt.name, got, tt.want)
		}
	}
	r := newRig(t)
	f := r.begin(r.create()).Fence
	r.want("Mark", r.s.Mark(t.Context(), f, new(Change).TroubleOver(first)), nil)
	if got := r.rdb.HGetAll(t.Context(), r.k.detail(f.Input.ID)).Val(); len(got) != 1 {
		t.Errorf("without trouble, the end of it is kept: %v", got)
	}
}

// That a task looked active without a lease is forgotten with the task: the next one is not
// taken for lost at once.
func TestOrphanIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for what, end := range map[string]func(Fence) error{
		"Reissue": func(f Fence) error { _, _, err := r.s.Reissue(t.Context(), f); return err },
		"Resolve": func(f Fence) error { _, err := r.s.Resolve(t.Context(), f.Input, f.Token, "v"); return err },
		"Cancel":  func(f Fence) error { return r.s.Cancel(t.Context(), f.Input, f.Token, testKept) },
	} {
		f := r.create()
		r.overdue(f)
		r.want("Touch", r.s.Touch(t.Context(), f, time.Minute, true), nil)
		if r.get(f).Orphaned.IsZero() {
			t.Fatal("Touch notes nothing")
		}
		r.want(what, end(f), nil)
		if at := r.get(f).Orphaned; !at.IsZero() {
			t.Errorf("after %s its task looks active since %v", what, at)
		}
	}
}
