package store

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
)

// clockRig is a rig whose Redis has a clock that the test moves.
func clockRig(t *testing.T) (*rig, *redistest.Server) {
	t.Helper()
	server := redistest.StartWithClock(t)
	return newRigOn(t, server.Client()), server
}

// another are the records in a process of their own.
func (r *rig) another() *Records {
	r.t.Helper()
	s, err := NewRecords(r.rdb)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// at is the time of the account, and how far it is ahead of the machine's.
func (r *rig) clock(s *Records) (Clock, time.Duration) {
	r.t.Helper()
	c, err := s.Clock(r.t.Context(), "acme")
	if err != nil {
		r.t.Fatal(err)
	}
	return c, time.Until(c.Now)
}

// jumps are those of Redis's clock that the tests make.
var jumps = map[string]time.Duration{"back": -600 * time.Second, "ahead": 4000 * time.Second}

// near is less than any of the jumps, and more than a loaded machine takes.
const near = time.Minute

// The time of an account goes on where Redis's jumps; of several processes that see it,
// also at once, one takes it back.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for name, by := range jumps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, server := clockRig(t)
			all := make([]*Records, 8)
			for i := range all {
				all[i] = r.another()
				r.clock(all[i])
			}
			server.SetClock(by)
			var wg sync.WaitGroup
			for _, s := range all {
				wg.Go(func() {
					if _, err := s.Create(t.Context(), testInput(), Creation{Token: NewToken()}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for _, s := range append(all, r.another()) {
				if c, ahead := r.clock(s); ahead.Abs() > near || (c.Offset+by).Abs() > near {
					t.Errorf("the account's time is %v ahead, with an offset of %v, after a jump of %v", ahead, c.Offset, by)
				}
			}
			for rec, err := range r.s.List(t.Context(), []string{"acme"}, extraction.Filter{}, Cursor{}) {
				if err != nil {
					t.Fatal(err)
				}
				if ahead := time.Until(rec.CreatedAt); ahead.Abs() > near {
					t.Errorf("one was created %v from now", ahead)
				}
			}
			server.SetClock(0) // It is put right.
			if c, ahead := r.clock(all[0]); ahead.Abs() > near || c.Offset.Abs() > near {
				t.Errorf("the account's time is %v ahead, with an offset of %v, once Redis's is right", ahead, c.Offset)
			}
		})
	}
}

// Time in which no process is alive has passed, unless it would run backwards.
func TestClockWithoutProcess(t *testing.T) {
	t.Parallel()
	r, server := clockRig(t)
	first := r.another()
	r.clock(first)
	r.clock(first) // The second one confirms.
	server.SetClock(4000 * time.Second)
	second := r.another()
	if _, ahead := r.clock(second); (ahead - 4000*time.Second).Abs() > near {
		t.Errorf("the account's time is %v ahead, want 4000 s", ahead)
	}
	r.clock(second)
	server.SetClock(0)
	if _, ahead := r.clock(r.another()); (ahead - 4000*time.Second).Abs() > near {
		t.Errorf("the account's time has gone back: it is %v ahead", ahead)
	}
}

// A process that was frozen between two readings, or whose calls are on their way for
// long, takes nothing back.
func TestClockFrozen(t *testing.T) {
	t.Parallel()
	r, _ := clockRig(t)
	r.clock(r.s)
	c := r.s.clock("acme")
	frozen := *c.Load()
	// Its reading is of an hour ago by both clocks; the monotonic one may have stood still.
	frozen.redis -= time.Hour
	other := r.another()
	r.clock(other)
	r.clock(other)
	c.Store(&frozen)
	if got, ahead := r.clock(r.s); ahead.Abs() > near || got.Offset.Abs() > near {
		t.Errorf("the account's time is %v ahead, with an offset of %v", ahead, got.Offset)
	}
	// The answer to the last reading was on its way for an hour.
	slow := *c.Load()
	slow.redis -= time.Hour
	slow.sent -= time.Hour
	c.Store(&slow)
	if got, ahead := r.clock(r.s); ahead.Abs() > near || got.Offset.Abs() > near {
		t.Errorf("after a slow answer the account's time is %v ahead, with an offset of %v", ahead, got.Offset)
	}
}

// The offset wears off, so that what is shown becomes the time of the day again.
func TestClockWearsOff(t *testing.T) {
	t.Parallel()
	r, _ := clockRig(t)
	for _, offset := range []int64{500, -500} {
		ctx := t.Context()
		r.clock(r.s)
		now := time.Now().UnixMilli()
		// Nothing was confirmed for a minute, of which 2 % wear off.
		if err := r.rdb.HSet(ctx, r.k.state(), "clock", offset, "clock_high", now+offset-time.Minute.Milliseconds()).Err(); err != nil {
			t.Fatal(err)
		}
		c, _ := r.clock(r.s)
		if c.Offset != 0 {
			t.Errorf("an offset of %d ms is %v after a minute", offset, c.Offset)
		}
		if n, err := r.rdb.HExists(ctx, r.k.state(), "clock").Result(); n || err != nil {
			t.Errorf("the offset is still there (%v)", err)
		}
	}
}

// A lease and a deadline are where they were, as is what a script answers twice.
func TestClockLease(t *testing.T) {
	t.Parallel()
	for name, by := range jumps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, server := clockRig(t)
			f := r.create()
			l := r.begin(f)
			server.SetClock(by)
			if _, _, err := r.s.Reissue(t.Context(), Fence{Input: f.Input, Seq: 1, Token: NewToken()}); !errors.Is(err, ErrBusy) {
				t.Errorf("the lease of a minute is over: %v", err)
			}
			next, err := r.s.Next(t.Context(), l.Fence, extraction.StepPoll, 5*time.Second, extraction.BecauseScheduled, nil)
			if err != nil {
				t.Fatal(err)
			}
			if in := time.Until(next.Due); in.Abs() > near {
				t.Errorf("the next step is due in %v", in)
			}
			again, err := r.s.Next(t.Context(), l.Fence, extraction.StepPoll, 5*time.Second, extraction.BecauseScheduled, nil)
			if err != nil || again.Seq != next.Seq {
				t.Errorf("the same call again came to %v, %v", again, err)
			}
		})
	}
}

// A process that starts right after a jump cannot tell it from time passed. It waits for one
// that can.
func TestClockJumpsBeforeStart(t *testing.T) {
	t.Parallel()
	for name, by := range jumps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, server := clockRig(t)
			r.clock(r.s)
			r.clock(r.s) // Confirms the time.
			server.SetClock(by)
			fresh, settled := r.another(), make(chan error, 1)
			go func() {
				// Longer than the other process needs to look again.
				err := fresh.SettleClock(t.Context(), "acme", 3*time.Second)
				if err == nil {
					_, err = fresh.Clock(t.Context(), "acme") // Confirms the time that it has read.
				}
				settled <- err
			}()
			time.Sleep(500 * time.Millisecond)
			r.clock(r.s)
			if err := <-settled; err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if c, ahead := r.clock(fresh); ahead.Abs() > near {
					t.Errorf("the account's time is %v ahead, with an offset of %v", ahead, c.Offset)
				}
			}
		})
	}
}
