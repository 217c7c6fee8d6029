package store

import (
	"errors"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// counting is a rider that counts its calls and returns a fixed answer.
func (r *rig) counting(says string) Rider {
	return Rider{
		Lua:  "redis.call('HINCRBY', KEYS[1], 'rides', ARGV[1])\nassert(math.abs(micros / 1000 - now) < 1)\nreturn {ARGV[2]}",
		Keys: []string{r.k.state()}, Args: []any{1, says},
	}
}

func (r *rig) rides() int64 {
	r.t.Helper()
	n, err := r.rdb.HGet(r.t.Context(), r.k.state(), "rides").Int64()
	if err != nil && !isNil(err) {
		r.t.Fatal(err)
	}
	return n
}

// A rider of the script that ends a step is carried out with it, once, and not where the
// script is refused.
func TestRiderOfTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ends := map[string]func(Fence) error{
		"next": func(f Fence) error {
			_, err := r.s.Next(t.Context(), f, extraction.StepPoll, 0, extraction.BecauseScheduled,
				new(Change).Vendor("v "+f.Input.ID).With(r.counting("")))
			return err
		},
		"finish": func(f Fence) error {
			_, err := r.s.Finish(t.Context(), f, extraction.StatusSuccess, testKept, new(Change).Result(1).With(r.counting("")))
			return err
		},
	}
	for name, end := range ends {
		f := r.begin(r.create()).Fence
		other := f
		other.Token = NewToken()
		before := r.rides()
		if err := end(other); !errors.Is(err, ErrStale) || r.rides() != before {
			t.Errorf("%s of another: %v after %d rides", name, err, r.rides()-before)
		}
		for range 2 { // The answer to the first is lost.
			if err := end(f); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := r.rides() - before; n != 1 {
			t.Errorf("%s: the rider was carried out %d times", name, n)
		}
	}
}

// What admits the first call is asked with the lease, where the step begins with that call. A
// submission that is admitted has begun: another one may have its turn.
func TestRiderOfTheBeginning(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name             string
		phase            Phase
		poll, goes, rode bool
	}{
		{"a submission", PhaseNone, false, true, true},
		{"one that has to wait", PhaseNone, false, false, true},
		{"one whose worker died before the last byte", PhaseSending, false, true, true},
		{"an opened one is asked for", PhaseOpened, false, true, false},
		{"so is one whose answer is lost", PhaseSent, false, true, false},
		{"and one that is searched for", PhaseUncertain, false, true, false},
		{"and a repetition", PhaseRecheck, false, true, false},
		{"a poll", PhaseNone, true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			f := r.create()
			if tt.poll {
				f = r.next(r.begin(f).Fence, extraction.StepPoll, new(Change).Vendor("v"))
			} else if tt.phase != PhaseNone {
				f = r.next(r.begin(f).Fence, extraction.StepSubmit, new(Change).Phase(tt.phase))
			}
			says := map[bool]string{true: "go", false: "later"}[tt.goes]
			rider := r.counting(says)
			step := r.get(f).Step
			l, err := r.s.BeginWith(t.Context(), &rider, f, step, testLease)
			if err != nil || l.Admitted != (tt.rode && tt.goes) || r.rides() != int64(flag(tt.rode)) {
				t.Fatalf("admitted %v after %d rides, %v", l.Admitted, r.rides(), err)
			}
			released := r.rdb.ZScore(t.Context(), r.k.released(), f.Input.ID).Err() == nil
			if want := tt.phase == PhaseNone && !tt.poll && !tt.goes; released != want {
				t.Errorf("it counts as one that has not begun: %v, want %v", released, want)
			}
			// The answer is lost. Whether the call is admitted is asked again, apart.
			again, err := r.s.BeginWith(t.Context(), &rider, f, step, testLease)
			if err != nil || again.Admitted || r.rides() != int64(flag(tt.rode)) {
				t.Errorf("repeated: admitted %v after %d rides, %v", again.Admitted, r.rides(), err)
			}
		})
	}
}

// A step learns whether others wait for the place that it gives up.
func TestCrowded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, crowded := range []bool{false, true} {
		ended, went := r.create(), r.create()
		l := r.begin(ended)
		held := r.begin(went).Fence
		if l.Crowded {
			t.Error("others wait, and there are none")
		}
		if crowded {
			r.window(Window{Released: 1 << 20, InFlight: 1})
			r.create()
		}
		next, err := r.s.Next(t.Context(), held, extraction.StepSubmit, 0, extraction.BecauseRetry, nil)
		if err != nil || next.Crowded != crowded {
			t.Errorf("after a step others wait: %v, %v, want %v", next.Crowded, err, crowded)
		}
		end, err := r.s.Finish(t.Context(), l.Fence, extraction.StatusError, testKept, nil)
		if err != nil || end.Crowded != crowded {
			t.Errorf("after an end others wait: %v, %v, want %v", end.Crowded, err, crowded)
		}
	}
}
