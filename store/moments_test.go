package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
)

// What ends at a moment has ended then, to the millisecond, and not one before.
func TestMoments(t *testing.T) {
	t.Parallel()
	const begin = 1_800_000_000_000
	for name, prepare := range map[string]func(*rig) (at int64, act func() error){
		"a lease lapses": func(r *rig) (int64, func() error) {
			f := r.begin(r.create()).Fence
			return begin + testLease.Milliseconds(), func() error {
				_, _, err := r.s.Reissue(t.Context(), Fence{Input: f.Input, Seq: f.Seq, Token: NewToken()})
				return err
			}
		},
		"what is kept goes": func(r *rig) (int64, func() error) {
			f := r.finished(extraction.StatusSuccess)
			return begin + testKept.Record.Milliseconds(), func() error { return r.s.Erase(t.Context(), f.Input, false, testKept) }
		},
		"counts go": func(r *rig) (int64, func() error) {
			f := r.gone()
			return begin + testKept.Record.Milliseconds(), func() error {
				_, err := r.s.run(t.Context(), "forget", f.Input, NewToken(), f.Input.Batch)
				return err
			}
		},
		"a step is overdue": func(r *rig) (int64, func() error) {
			f := r.create()
			return begin + grace.Milliseconds(), func() error { return r.s.Touch(t.Context(), f, time.Minute, false) }
		},
		"an early webhook is forgotten": func(r *rig) (int64, func() error) {
			if _, err := r.s.Hooked(t.Context(), "acme", "v-early"); err != nil {
				t.Fatal(err)
			}
			return begin + earlyFor.Milliseconds(), func() error {
				_, err := r.s.Hooked(t.Context(), "acme", "v-other")
				if _, ok := r.score(r.k.early(), "v-early"); ok && err == nil {
					err = ErrStale
				}
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newClockedRig(t, redistest.Client(t))
			r.setClock(begin)
			r.window(wide)
			at, act := prepare(r)
			r.setClock(at - 1)
			if err := act(); err == nil {
				t.Error("a millisecond before")
			}
			r.setClock(at)
			r.want("at its moment", act(), nil)
		})
	}
}

// A hint that counts later does so on a whole second, and not before its moment: asynq fires
// on whole seconds.
func TestLaterHintOnWholeSecond(t *testing.T) {
	t.Parallel()
	const begin = 1_800_000_000_400
	r := newClockedRig(t, redistest.Client(t))
	r.setClock(begin)
	r.window(wide)
	f := r.waiting()
	r.hint(f) // It counts at once.
	f = r.begin(f).Fence
	if _, err := r.s.Next(t.Context(), f, extraction.StepPoll, time.Hour, extraction.BecauseScheduled, nil); err != nil {
		t.Fatal(err)
	}
	if got := millis(r.hint(f).Due); got != begin+2600 {
		t.Errorf("the second hint counts %d ms after the first, want 2,600", got-begin)
	}
}

// To ask once more for a result that is being fetched lets reconcile look whether its task is
// there, unless a worker holds the step.
func TestRefetchOnceMore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.finished(extraction.StatusSuccess)
	result := r.get(f).ResultSeq
	at, err := r.s.Refetch(t.Context(), f.Input, NewToken(), result)
	r.want("Refetch", err, nil)
	later := time.Now().Add(time.Hour)
	again := func() time.Time {
		t.Helper()
		r.rdb.ZAdd(t.Context(), r.k.due(), z(float64(later.UnixMilli()), f.Input.ID))
		_, err := r.s.Refetch(t.Context(), f.Input, NewToken(), result)
		r.want("Refetch once more", err, ErrBusy)
		return r.due(f)
	}
	if due := again(); !due.Before(later.Add(-time.Minute)) {
		t.Errorf("reconcile looks at %v, want it to soon", due)
	}
	r.begin(Fence{Input: f.Input, Seq: at.Seq, Token: NewToken()})
	if due := again(); due.Before(later.Add(-time.Minute)) {
		t.Errorf("reconcile looks at %v although a worker holds the step", due)
	}
}

// Of many deliveries the outcomes of the latest ten are known; what comes late of an older one
// has no effect either.
func TestLateOutcomeOfAnOldDelivery(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.ended()
	tell := func(n int64) error {
		_, err := r.s.Delivered(t.Context(), in, NewToken(), n, DeliveryPending, 503, time.Second, "no answer")
		return err
	}
	for n := int64(1); n <= 11; n++ { // Ten of them are kept.
		r.want("Delivered", tell(n), nil)
		before := r.dump()
		for old := int64(1); old <= n; old++ {
			r.want("Delivered of an old one", tell(old), ErrStale)
		}
		if diff := cmp.Diff(before, r.dump()); diff != "" {
			t.Fatalf("after %d deliveries, one of the old ones changed Redis (-before +after):\n%s", n, diff)
		}
	}
}
