package store

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/extractq/extractq/extraction"
)

const fighters = 64

// fight lets many goroutines do the same at once and returns how many got nil;
// any other error than the allowed ones fails the test.
func fight(t *testing.T, f func(i int) error, allowed ...error) int64 {
	t.Helper()
	var won atomic.Int64
	var wg sync.WaitGroup
	ready := make(chan struct{})
	for i := range fighters {
		wg.Go(func() {
			<-ready
			err := f(i)
			if err == nil {
				won.Add(1)
				return
			}
			for _, a := range allowed {
				if errors.Is(err, a) {
					return
				}
			}
			t.Errorf("unexpected error: %v", err)
		})
	}
	close(ready)
	wg.Wait()
	return won.Load()
}

func one(t *testing.T, what string, won int64) {
	t.Helper()
	if won != 1 {
		t.Errorf("%d of %d won %s, want 1", won, fighters, what)
	}
}

func TestFightForOneExtraction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	in := testInput()
	one(t, "the creation", fight(t, func(int) error {
		_, err := r.s.Create(ctx, in, Creation{Token: NewToken()})
		return err
	}, ErrExists))

	fence := func(seq int64) Fence { return Fence{Input: in, Seq: seq, Token: NewToken()} }
	var holder atomic.Pointer[Fence]
	begin := func(seq int64, step extraction.Step) func(int) error {
		return func(int) error {
			f := fence(seq)
			_, err := r.s.Begin(ctx, f, step, testLease)
			if err == nil {
				holder.Store(&f)
			}
			return err
		}
	}
	one(t, "the lease", fight(t, begin(1, extraction.StepSubmit), ErrBusy))
	r.lapse(*holder.Load())
	one(t, "the reissue", fight(t, func(int) error {
		_, _, err := r.s.Reissue(ctx, fence(1))
		return err
	}, ErrStale))
	one(t, "the lease of the reissued step", fight(t, begin(2, extraction.StepSubmit), ErrBusy))
	// Renewals do not disturb, and others fail, while the holder goes on.
	var heartbeat sync.Mutex // A holder makes its calls one after the other.
	won := fight(t, func(i int) error {
		if i%2 == 0 {
			heartbeat.Lock()
			defer heartbeat.Unlock()
			return r.s.Renew(ctx, *holder.Load(), testLease)
		}
		_, err := r.s.Finish(ctx, fence(2), extraction.StatusError, testKept, nil)
		return err
	}, ErrStale)
	if won != fighters/2 {
		t.Errorf("%d renewals worked, want %d", won, fighters/2)
	}
	at, err := r.s.Next(ctx, *holder.Load(), extraction.StepPoll, 0, extraction.BecauseScheduled, new(Change).Vendor("v"))
	if err != nil || at.Seq != 3 {
		t.Fatalf("Next = %+v, %v, want seq 3", at, err)
	}
	one(t, "the poll", fight(t, begin(3, extraction.StepPoll), ErrBusy))

	// The finish against the reissue of its lapsed lease: one of the two.
	r.lapse(*holder.Load())
	one(t, "finish or reissue", fight(t, func(i int) error {
		if i == fighters/2 {
			_, err := r.s.Finish(ctx, *holder.Load(), extraction.StatusSuccess, testKept, nil)
			return err
		}
		_, _, err := r.s.Reissue(ctx, fence(3))
		return err
	}, ErrStale, ErrFinal))
}

// Many extractions fight for few slots: never more are in flight.
func TestFightForSlots(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const slots = 5
	r.window(Window{Released: 3, InFlight: slots})
	fences := make([]Fence, fighters)
	for i := range fences {
		fences[i] = r.create()
	}
	won := int64(0)
	for range slots { // Each round releases what the one before has made room for.
		let, err := r.s.Release(t.Context(), "acme", fighters)
		if err != nil {
			t.Fatal(err)
		}
		won += fight(t, func(i int) error {
			f := fences[i]
			f.Seq, f.Token = r.get(f).Seq, NewToken()
			l, err := r.s.Begin(t.Context(), f, extraction.StepSubmit, testLease)
			if err == nil {
				err = r.s.Mark(t.Context(), l.Fence, new(Change).Phase(PhaseSending))
			}
			return err
		}, ErrWaits, ErrBusy, ErrStale)
		if len(let) > 3 {
			t.Errorf("%d were released at once, want at most 3", len(let))
		}
	}
	if l, err := r.s.Load(t.Context(), "acme"); err != nil || won != slots || l.InFlight != slots {
		t.Errorf("%d won a slot and %d are held, %v, want %d", won, l.InFlight, err, slots)
	}
}

// The same attempt, sent many times at once, wins every time and acts once.
func TestReplaysAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	f := r.polling()
	all := func(what string, call func(int) error) {
		t.Helper()
		if won := fight(t, call); won != fighters {
			t.Errorf("%d of %d replays of %s won", won, fighters, what)
		}
	}
	all("begin", func(int) error { _, err := r.s.Begin(ctx, f, extraction.StepPoll, testLease); return err })
	all("next", func(int) error {
		_, err := r.s.Next(ctx, f, extraction.StepPoll, 0, extraction.BecauseScheduled, nil)
		return err
	})
	if got := r.get(f).Seq; got != f.Seq+1 {
		t.Errorf("seq %d after a replayed next, want %d", got, f.Seq+1)
	}
	last := r.begin(Fence{Input: f.Input, Seq: f.Seq + 1, Token: NewToken()}).Fence
	all("finish", func(int) error {
		_, err := r.s.Finish(ctx, last, extraction.StatusSuccess, testKept, nil)
		return err
	})
	if got := r.get(f).Seq; got != last.Seq+1 {
		t.Errorf("seq %d after a replayed finish, want %d", got, last.Seq+1)
	}
	if got := r.counts()[extraction.StatusSuccess]; got != 1 {
		t.Errorf("the batch counts %d, want 1", got)
	}
}
