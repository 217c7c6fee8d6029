package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
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
