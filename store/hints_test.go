package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// waiting makes an extraction whose next poll is an hour away, under vendor id v-1.
func (r *rig) waiting() Fence {
	r.t.Helper()
	f := r.begin(r.create()).Fence
	at, err := r.s.Next(r.t.Context(), f, extraction.StepPoll, time.Hour, extraction.BecauseScheduled, new(Change).Vendor("v-1"))
	if err != nil {
		r.t.Fatal(err)
	}
	return Fence{Input: f.Input, Seq: at.Seq, Token: NewToken()}
}

func (r *rig) hint(f Fence) Hinted {
	r.t.Helper()
	got, err := r.s.Hint(r.t.Context(), "acme", f.Input.ID, "v-1", SourceHook)
	if err != nil {
		r.t.Fatalf("Hint: %v", err)
	}
	return got
}

// notYet carries out the poll that is due and plans the next one in an hour.
func (r *rig) notYet(f Fence) Fence {
	r.t.Helper()
	f = r.begin(f).Fence
	at, err := r.s.Next(r.t.Context(), f, extraction.StepPoll, time.Hour, extraction.BecauseScheduled, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return Fence{Input: f.Input, Seq: at.Seq, Token: NewToken()}
}

// A hint makes the waiting poll due now, says which task is to run, and reconcile
// looks after it if it is not run.
func TestHintPullsForward(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.waiting()
	got := r.hint(f)
	if got.Step != extraction.StepPoll || got.Seq != f.Seq || got.Due.After(got.Now) {
		t.Errorf("Hint = %+v, want the poll of seq %d now", got, f.Seq)
	}
	if again := r.hint(f); again.Step != got.Step || again.Seq != got.Seq {
		t.Errorf("repeated before the poll: %+v, want %+v", again, got)
	}
	rec := r.get(f)
	if !rec.Hooked || rec.Due.After(got.Now) || r.due(f).Sub(got.Now) > grace {
		t.Errorf("hooked %v, due %v, looked after at %v, now is %v", rec.Hooked, rec.Due, r.due(f), got.Now)
	}
	r.hset(f, "due", "1")
	if err := r.rdb.ZAdd(t.Context(), r.k.due(), z(1, f.Input.ID)).Err(); err != nil {
		t.Fatal(err)
	}
	if glances, _, err := r.s.Due(t.Context(), "acme", 10); err != nil || len(glances) != 1 || !glances[0].Hinted {
		t.Errorf("Due = %+v, %v, want one with a hint", glances, err)
	}
	lease := r.begin(f)
	if !lease.Record.Hooked {
		t.Error("who polls does not see that a webhook came")
	}
	if glances, _, err := r.s.Due(t.Context(), "acme", 10); err != nil || len(glances) != 0 {
		t.Errorf("Due while it is polled = %+v, %v", glances, err)
	}
	at, err := r.s.Next(t.Context(), lease.Fence, extraction.StepPoll, time.Hour, extraction.BecauseScheduled, nil)
	if err != nil || at.Due.Sub(at.Now) < time.Hour {
		t.Errorf("the poll after it = %+v, %v, want it in an hour", at, err)
	}
}

// A source other than a webhook hurries as much, and does not pass for one.
func TestHintFromAList(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.waiting()
	got, err := r.s.Hint(t.Context(), "acme", f.Input.ID, "v-1", SourceList)
	if err != nil || got.Step != extraction.StepPoll {
		t.Errorf("Hint = %+v, %v", got, err)
	}
	if r.get(f).Hooked {
		t.Error("it passes for a webhook")
	}
}

// TestRepeatedHints: what is repeated forever costs a poll ever more rarely, and a
// late hint that is true is not lost.
func TestRepeatedHints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.waiting()
	r.hint(f)
	f = r.notYet(f)
	for n := 1; n <= 12; n++ {
		got := r.hint(f)
		if got.Step != "" {
			t.Fatalf("hint %d makes a task run at once", n+1)
		}
		want := min(2*time.Second<<(n-1), 300*time.Second)
		if wait := got.Due.Sub(got.Now); wait <= want-3*time.Second || wait > want+time.Second {
			t.Errorf("hint %d counts in %v, want about %v", n+1, wait, want)
		}
		if !r.due(f).Equal(got.Due) || !r.get(f).Due.Equal(got.Due) {
			t.Errorf("reconcile looks at it at %v and it is due at %v, want %v", r.due(f), r.get(f).Due, got.Due)
		}
		if again := r.hint(f); !again.Due.Equal(got.Due) {
			t.Errorf("hint %d repeated: %v, want %v", n+1, again.Due, got.Due)
		}
		r.hset(f, fieldHintedAt, got.Now.UnixMilli()) // As if the poll had been made.
		f = r.notYet(f)
	}
	r.hset(f, fieldHintedAt, time.Now().Add(-301*time.Second).UnixMilli())
	if got := r.hint(f); got.Step != extraction.StepPoll || got.Due.After(got.Now) {
		t.Errorf("a hint long after the others = %+v, want it to count at once", got)
	}
}

// A hint is never later than the plan.
func TestHintDelaysNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.waiting()
	r.hint(f)
	f = r.begin(f).Fence
	at, err := r.s.Next(t.Context(), f, extraction.StepPoll, time.Second, extraction.BecauseScheduled, nil)
	if err != nil {
		t.Fatal(err)
	}
	f = Fence{Input: f.Input, Seq: at.Seq, Token: NewToken()}
	r.hset(f, fieldHints, 9)
	if got := r.hint(f); !got.Due.Equal(at.Due) || got.Step != "" {
		t.Errorf("Hint = %+v, want the poll at %v as planned", got, at.Due)
	}
}

// TestHintChangesNothing: what names another vendor id, what has ended, and what
// nothing was sent of.
func TestHintChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, tt := range map[string]struct {
		f        Fence
		vendorID string
		want     error
	}{
		"another vendor id":   {r.waiting(), "v-2", ErrStale},
		"final":               {r.finished(extraction.StatusSuccess), "v-1", ErrFinal},
		"queued":              {r.create(), "v-1", ErrStale},
		"not begun, but held": {r.begin(r.create()).Fence, "v-1", ErrStale},
		"unknown":             {Fence{Input: Input{ID: NewID(), Account: "acme"}}, "v-1", ErrNotFound},
	} {
		before := r.dump()
		_, err := r.s.Hint(t.Context(), "acme", tt.f.Input.ID, tt.vendorID, SourceHook)
		r.want("Hint of one that is "+name, err, tt.want)
		if after := r.dump(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("a hint for one that is %s has changed something", name)
		}
	}
}

// TestHintWhileSubmitting: the webhook overtakes the vendor's answer to the
// submission, and the first poll comes at once. The id is that of our extraction,
// which the vendor echoed.
func TestHintWhileSubmitting(t *testing.T) {
	t.Parallel()
	for _, phase := range []Phase{PhaseSending, PhaseSent} {
		r := newRig(t)
		f := r.begin(r.create()).Fence
		if err := r.s.Mark(t.Context(), f, new(Change).Phase(phase)); err != nil {
			t.Fatal(err)
		}
		if got := r.hint(f); got.Step != "" {
			t.Errorf("%s: Hint = %+v, want no task to run", phase, got)
		}
		at, err := r.s.Next(t.Context(), f, extraction.StepPoll, 2*time.Second, extraction.BecauseScheduled,
			new(Change).Phase(PhaseNone).Vendor("v-1"))
		if err != nil || at.Due.After(at.Now) {
			t.Errorf("%s: the first poll = %+v, %v, want it at once", phase, at, err)
		}
	}
}

// An uncertain submission is looked for at once: what the hint says its id is, is
// not believed.
func TestHintWhileUncertain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.begin(r.create()).Fence
	at, err := r.s.Next(t.Context(), f, extraction.StepSubmit, time.Minute, extraction.BecauseRetry, new(Change).Phase(PhaseUncertain))
	if err != nil {
		t.Fatal(err)
	}
	got := r.hint(f)
	if got.Step != extraction.StepSubmit || got.Seq != at.Seq {
		t.Errorf("Hint = %+v, want the submission of seq %d now", got, at.Seq)
	}
	if id := r.get(f).VendorID; id != "" {
		t.Errorf("it has the vendor id %q", id)
	}
}

// TestEarlyHook: a webhook whose vendor id is not known yet is a hint once it
// is, and not forever.
func TestEarlyHook(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hooked := func() string {
		t.Helper()
		id, err := r.s.Hooked(t.Context(), "acme", "v-1")
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	f := r.begin(r.create()).Fence
	if id := hooked(); id != "" {
		t.Errorf("Hooked = %q before a record has the vendor id", id)
	}
	at, err := r.s.Next(t.Context(), f, extraction.StepPoll, time.Hour, extraction.BecauseScheduled, new(Change).Vendor("v-1"))
	if err != nil || at.Due.After(at.Now) || !r.get(f).Hooked {
		t.Errorf("the first poll = %+v, %v, want it at once", at, err)
	}
	if id := hooked(); id != f.Input.ID {
		t.Errorf("Hooked = %q, want %s", id, f.Input.ID)
	}
	if n := r.rdb.ZCard(t.Context(), r.k.early()).Val(); n != 0 {
		t.Errorf("%d vendor ids are remembered, want none", n)
	}

	old := time.Now().Add(-earlyFor - time.Second).UnixMilli()
	if err := r.rdb.ZAdd(t.Context(), r.k.early(), z(float64(old), "v-old")).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.s.Hooked(t.Context(), "acme", "v-new"); err != nil {
		t.Fatal(err)
	}
	if got := r.rdb.ZRange(t.Context(), r.k.early(), 0, -1).Val(); len(got) != 1 || got[0] != "v-new" {
		t.Errorf("remembered are %q, want v-new alone", got)
	}
	if ttl := r.rdb.PTTL(t.Context(), r.k.early()).Val(); ttl <= 0 || ttl > earlyFor {
		t.Errorf("they stay for %v", ttl)
	}
}

// TestEarlyHooksAreBounded: a caller that knows the token cannot fill Redis.
func TestEarlyHooksAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := float64(time.Now().UnixMilli())
	many := make([]redis.Z, earlyKept+500)
	for i := range many {
		many[i] = z(now, fmt.Sprintf("v-%d", i))
	}
	if err := r.rdb.ZAdd(t.Context(), r.k.early(), many...).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.s.Hooked(t.Context(), "acme", "the last"); err != nil {
		t.Fatal(err)
	}
	if n := r.rdb.ZCard(t.Context(), r.k.early()).Val(); n != earlyKept {
		t.Errorf("%d are remembered, want %d", n, earlyKept)
	}
	if _, ok := r.score(r.k.early(), "the last"); !ok {
		t.Error("the latest is not among them")
	}
}

// A hint makes nothing due that waits for its turn, or that a worker holds: the poll
// comes with the step that follows.
func TestHintMakesNothingElseDue(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*rig) Fence{
		"stands in the line": func(r *rig) Fence { // A process that died had begun to submit it.
			r.window(Window{})
			in := testInput()
			change := new(Change).Phase(PhaseOpened).Vendor("v-1").Upload("https://u.test/", time.Now().Add(time.Hour))
			if _, err := r.s.Create(t.Context(), in, Creation{Token: NewToken(), Change: change}); err != nil {
				t.Fatal(err)
			}
			return Fence{Input: in, Seq: 1}
		},
		"is held": func(r *rig) Fence { return r.begin(r.waiting()).Fence },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			f := make(r)
			before := r.rdb.ZRangeWithScores(t.Context(), r.k.due(), 0, -1).Val()
			if got := r.hint(f); got.Step != "" {
				t.Errorf("the task of its %s is to run", got.Step)
			}
			if diff := cmp.Diff(before, r.rdb.ZRangeWithScores(t.Context(), r.k.due(), 0, -1).Val()); diff != "" {
				t.Errorf("what is due (-before +after):\n%s", diff)
			}
			if broken := r.broken(f); len(broken) > 0 {
				t.Errorf("broken: %q", broken)
			}
		})
	}
}
