package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
)

// ends are the calls by which the holder of a lease ends a step.
func (r *rig) ends() map[string]func(Fence) error {
	ctx := r.t.Context()
	next := func(step extraction.Step, because extraction.Because, c func() *Change) func(Fence) error {
		return func(f Fence) error {
			_, err := r.s.Next(ctx, f, step, 0, because, c())
			return err
		}
	}
	none := func() *Change { return nil }
	finish := func(status extraction.Status) func(Fence) error {
		return func(f Fence) error {
			_, err := r.s.Finish(ctx, f, status, testKept, nil)
			return err
		}
	}
	return map[string]func(Fence) error{
		"poll with an id": next(extraction.StepPoll, extraction.BecauseScheduled, func() *Change {
			return new(Change).Phase(PhaseNone).Vendor("paid")
		}),
		"poll with another id": next(extraction.StepPoll, extraction.BecauseScheduled, func() *Change {
			return new(Change).Phase(PhaseNone).Vendor("other")
		}),
		"poll":         next(extraction.StepPoll, extraction.BecauseScheduled, none),
		"submit again": next(extraction.StepSubmit, extraction.BecauseRetry, none),
		"rate":         next(extraction.StepSubmit, extraction.BecauseRate, none),
		"uncertain": next(extraction.StepSubmit, extraction.BecauseRetry, func() *Change {
			return new(Change).Phase(PhaseUncertain)
		}),
		"success": finish(extraction.StatusSuccess),
		"error":   finish(extraction.StatusError),
		"cancel":  func(f Fence) error { return r.s.Cancel(ctx, f.Input, f.Token, testKept) },
		"reissue": func(f Fence) error { _, _, err := r.s.Reissue(ctx, f); return err },
		"resolve": func(f Fence) error { _, err := r.s.Resolve(ctx, f.Input, f.Token, "paid"); return err },
	}
}

// The answer to a call that ended a step is lost. The same call again is confirmed.
// Another call of the same holder, with the same token and seq, is not: it must not be
// taken for what ran. It changes nothing, unless it is one that needs no lease.
func TestTokenConfirmsItsOwnCallOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ends := r.ends()
	for ran := range ends {
		for then := range ends {
			t.Run(fmt.Sprintf("%s, then %s", ran, then), func(t *testing.T) {
				f := r.begin(r.create()).Fence
				if ran == "reissue" || then == "reissue" {
					r.lapse(f)
				}
				if err := ends[ran](f); err != nil {
					t.Fatal(err)
				}
				before := r.dump()
				err := ends[then](f)
				switch {
				case ran == then:
					if err != nil {
						t.Errorf("replayed: %v", err)
					}
				case then == "cancel" && ran != "success" && ran != "error":
					if err != nil {
						t.Errorf("cancel of a running extraction: %v", err)
					}
					return
				case then == "resolve" && err == nil && (ran == "poll" || ran == "submit again" || ran == "rate" ||
					ran == "uncertain" || ran == "reissue"):
					return // It has no vendor id yet.
				case then == "resolve" && errors.Is(err, ErrFinal) && r.get(f).VendorID == "paid":
					return // What ended without an id keeps it.
				case err == nil:
					t.Error("confirmed, although another call ran")
				}
				if diff := cmp.Diff(before, r.dump()); diff != "" {
					t.Errorf("changed Redis (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// repeater keeps the calls of scripts as they were sent.
type repeater struct{ sent [][]any }

func (r *repeater) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *repeater) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (r *repeater) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if args := cmd.Args(); err == nil && strings.HasPrefix(fmt.Sprint(args[0]), "eval") && strings.Contains(fmt.Sprint(args[3]), "}:r:") {
			r.sent = append(r.sent, args)
		}
		return err
	}
}

// An answer was lost, and the repetition of the call arrives late: after any number of later
// calls, also of the same holder, it has no effect.
func TestLateRepetitions(t *testing.T) {
	t.Parallel()
	calls := &repeater{}
	plain := redistest.Client(t)
	hooked := redis.NewClient(plain.Options())
	t.Cleanup(func() { _ = hooked.Close() })
	hooked.AddHook(calls)
	r := newRigOn(t, hooked)
	ctx := t.Context()
	in := testInput()
	in.CallbackURL = "https://producer.test/hook"
	f := Fence{Input: in, Seq: 1, Token: NewToken()}
	mark := func(c *Change) func() error { return func() error { return r.s.Mark(ctx, f, c) } }
	renew := func(d time.Duration) func() error { return func() error { return r.s.Renew(ctx, f, d) } }
	delivered := func(n int64, state DeliveryState) func() error {
		return func() error {
			_, err := r.s.Delivered(ctx, in, NewToken(), n, state, 503, time.Hour, "no answer")
			return err
		}
	}
	redeliver := func() error { _, err := r.redeliver(in); return err }
	for i, step := range []func() error{
		func() error { _, err := r.s.Create(ctx, in, Creation{Token: NewToken()}); return err },
		func() error { _, err := r.s.Begin(ctx, f, extraction.StepSubmit, testLease); return err },
		mark(new(Change).Phase(PhaseSending).Attempts(1)), renew(2 * testLease),
		mark(new(Change).Phase(PhaseOpened).Vendor("v1").Upload("https://u.test/", time.UnixMilli(1000))), renew(3 * testLease),
		mark(new(Change).WaitingSince(time.UnixMilli(2000))), renew(4 * testLease),
		mark(new(Change).Vendor("").WaitingSince(time.Time{})), mark(new(Change).Phase(PhaseSending).Attempts(2)),
		func() error {
			_, err := r.s.Next(ctx, f, extraction.StepPoll, 0, extraction.BecauseScheduled, new(Change).Phase(PhaseNone).Vendor("v2"))
			return err
		},
		func() error {
			f.Seq, f.Token = 2, NewToken()
			_, err := r.s.Begin(ctx, f, extraction.StepPoll, testLease)
			return err
		},
		mark(new(Change).Polls(1)), mark(new(Change).Polls(2)),
		func() error {
			_, err := r.s.Finish(ctx, f, extraction.StatusError, testKept, nil)
			return err
		},
		delivered(1, DeliveryPending), delivered(2, DeliveryPending), delivered(3, DeliveryBusy), redeliver, delivered(5, DeliveryPending),
		delivered(4, DeliveryDelivered), redeliver, redeliver, delivered(8, DeliveryFailed), redeliver,
	} {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		before := r.dump()
		for n, args := range calls.sent {
			_ = plain.Do(ctx, args...).Err()
			if diff := cmp.Diff(before, r.dump()); diff != "" {
				t.Fatalf("after step %d, a repetition of call %d (%v) changed Redis (-before +after):\n%s", i, n, args[27:], diff)
			}
		}
	}
}

// A vendor id that was not taken back is never replaced: the document may have been
// paid for under it.
func TestVendorIDIsNotReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.begin(r.polling()).Fence
	paid := r.get(f).VendorID
	other := new(Change).Vendor("other")
	r.want("Mark", r.s.Mark(t.Context(), f, other), ErrStale)
	_, err := r.s.Next(t.Context(), f, extraction.StepPoll, time.Second, extraction.BecauseScheduled, other)
	r.want("Next", err, ErrStale)
	_, err = r.s.Finish(t.Context(), f, extraction.StatusSuccess, testKept, other)
	r.want("Finish", err, ErrStale)
	_, err = r.s.Resolve(t.Context(), f.Input, NewToken(), "other")
	r.want("Resolve", err, ErrSupplanted)
	if got := r.get(f); got.VendorID != paid || got.Status != extraction.StatusInProgress {
		t.Errorf("now %s under %q, want IN_PROGRESS under %q", got.Status, got.VendorID, paid)
	}
	r.want("Mark that takes it back", r.s.Mark(t.Context(), f, new(Change).Vendor("")), nil)
	r.want("Mark after that", r.s.Mark(t.Context(), f, other), nil)
}

// Two calls with the same token are told apart where what they were told looks the same: by
// the script, and by where one argument ends and the next begins.
func TestCallsAreToldApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.begin(r.create()).Fence
	r.lapse(f)
	if _, _, err := r.s.Reissue(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	// The vendor has given it an id that looks like the seq.
	if _, err := r.s.Resolve(t.Context(), f.Input, f.Token, fmt.Sprint(f.Seq)); err != nil || r.get(f).VendorID != fmt.Sprint(f.Seq) {
		t.Errorf("Resolve with the token of Reissue: %v, now %+v", err, r.get(f))
	}
	f = r.begin(r.create()).Fence
	next := func(c *Change) error {
		_, err := r.s.Next(t.Context(), f, extraction.StepSubmit, 0, extraction.BecauseRetry, c)
		return err
	}
	r.want("Next", next(new(Change).VendorStatus("a").Attempts(1)), nil)
	r.want("Next with another change", next(new(Change).VendorStatus("a"+fieldAttempts+"1")), ErrStale)
}
