package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

// A result that is fetched once more is a step of its own: leased, fenced and repeated as
// any poll, and nothing of the end changes but the result.
func TestRefetch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.finished(extraction.StatusSuccess)
	before, counts := r.get(f), r.counts()
	token := NewToken()
	at, err := r.s.Refetch(t.Context(), f.Input, token, before.ResultSeq)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.get(f); !got.Fetching() || got.Seq != before.Seq+1 || at.Seq != got.Seq || !got.Due.Equal(at.Due) {
		t.Errorf("after Refetch: %+v, scheduled %+v", got, at)
	}
	again, err := r.s.Refetch(t.Context(), f.Input, token, before.ResultSeq)
	if err != nil || again.Seq != at.Seq {
		t.Errorf("replayed: %+v, %v, want %+v", again, err, at)
	}
	_, err = r.s.Refetch(t.Context(), f.Input, NewToken(), before.ResultSeq)
	r.want("a second Refetch", err, ErrBusy)
	_, err = r.s.Refetch(t.Context(), f.Input, NewToken(), before.ResultSeq+1)
	r.want("Refetch of another result", err, ErrStale)
	r.want("Cancel", r.s.Cancel(t.Context(), f.Input, NewToken(), testKept), ErrFinal)

	old := f
	f.Seq, f.Token = at.Seq, NewToken()
	_, err = r.s.Begin(t.Context(), old, extraction.StepPoll, testLease)
	r.want("Begin of the poll that found the end", err, ErrStale)
	l := r.begin(f)
	if !l.Record.Fetching() || l.Record.ResultSeq != before.ResultSeq || r.inFlight(f) {
		t.Errorf("leased %+v, in flight %v, want the present result and no slot", l.Record, r.inFlight(f))
	}
	f = r.next(f, extraction.StepPoll, new(Change).Polls(7))
	f = r.begin(f).Fence
	r.lapse(f)
	_, next, err := r.s.Reissue(t.Context(), f)
	if err != nil || next.Seq != f.Seq+1 {
		t.Fatalf("Reissue = %+v, %v", next, err)
	}
	_, err = r.s.Finish(t.Context(), f, extraction.StatusSuccess, testKept, new(Change).Result(f.Seq))
	r.want("Finish without the lease", err, ErrStale)
	f.Seq, f.Token = next.Seq, NewToken()
	r.begin(f)
	change := new(Change).Result(f.Seq).ResultSum("sum")
	for _, what := range []string{"Finish", "replayed Finish"} {
		_, err = r.s.Finish(t.Context(), f, extraction.StatusError, Kept{}, change)
		r.want(what, err, nil)
	}
	got := r.get(f)
	want := before
	want.Seq, want.Polls, want.ResultSeq, want.ResultSum = f.Seq+1, 7, f.Seq, "sum"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	if due := r.due(f); !due.Equal(got.DocumentExpiresAt) {
		t.Errorf("looked at again at %v, want at %v", due, got.DocumentExpiresAt)
	}
	if diff := cmp.Diff(counts, r.counts()); diff != "" {
		t.Errorf("the batch's counts changed (-before +after):\n%s", diff)
	}
	events := []extraction.Status{
		extraction.StatusQueued, extraction.StatusSubmitting, extraction.StatusInProgress, extraction.StatusSuccess, extraction.StatusSuccess,
	}
	if diff := cmp.Diff(events, r.statuses(f)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	r.want("Erase", r.s.Erase(t.Context(), f.Input, true, testKept), nil)
	_, err = r.s.Refetch(t.Context(), f.Input, NewToken(), got.ResultSeq)
	r.want("Refetch of what is erased", err, ErrNotFound)
	failed := r.finished(extraction.StatusError)
	_, err = r.s.Refetch(t.Context(), failed.Input, NewToken(), r.get(failed).ResultSeq)
	r.want("Refetch of an ERROR", err, ErrStale)
}

// What keeps a result from being fetched does not keep the extraction beyond its
// retention.
func TestRefetchKeepsNothingLonger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.finished(extraction.StatusSuccess)
	soon := time.Now().Add(10 * time.Second).UTC().Truncate(time.Millisecond)
	r.hset(f, fieldExpiresAt, soon.UnixMilli())
	at, err := r.s.Refetch(t.Context(), f.Input, NewToken(), f.Seq)
	if err != nil {
		t.Fatal(err)
	}
	f.Seq, f.Token = at.Seq, NewToken()
	r.begin(f)
	if _, err := r.s.Next(t.Context(), f, extraction.StepPoll, time.Hour, extraction.BecauseRate, nil); err != nil {
		t.Fatal(err)
	}
	if due := r.due(f); !due.Equal(soon) {
		t.Errorf("looked at again at %v, want at %v", due, soon)
	}
}

// A delivery waits while the result is fetched, whatever becomes of an attempt that was
// being made; a delivered one is not made again.
func TestRefetchBeforeDelivery(t *testing.T) {
	t.Parallel()
	for outcome, made := range map[DeliveryState]bool{
		DeliveryFailed: true, DeliveryPending: true, DeliveryBusy: true, DeliveryDelivered: false,
	} {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			in := testInput()
			in.CallbackURL = "https://producer.test/"
			if _, err := r.s.Create(t.Context(), in, Creation{Token: NewToken()}); err != nil {
				t.Fatal(err)
			}
			f := r.begin(Fence{Input: in, Seq: 1, Token: NewToken()}).Fence
			f = r.begin(r.next(f, extraction.StepPoll, new(Change).Vendor("v"))).Fence
			if _, err := r.s.Finish(t.Context(), f, extraction.StatusSuccess, testKept, new(Change).Result(f.Seq)); err != nil {
				t.Fatal(err)
			}
			attempt := r.get(f).Deliveries.Number
			at, err := r.s.Refetch(t.Context(), in, NewToken(), f.Seq)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.s.Delivered(t.Context(), in, NewToken(), attempt, outcome, 200, time.Hour, "")
			if made {
				r.want("Delivered of the attempt before", err, ErrStale)
			} else {
				r.want("Delivered", err, nil)
			}
			if got := r.get(f); !got.Fetching() || !got.Due.Equal(at.Due) {
				t.Fatalf("the attempt's outcome made it %+v", got)
			}
			if made { // Nor does asking for one begin it.
				if _, err := r.redeliver(in); err != nil || !r.get(f).Fetching() {
					t.Fatalf("Redeliver = %v, now %+v", err, r.get(f))
				}
			}
			number := r.get(f).Deliveries.Number
			f.Seq, f.Token = at.Seq, NewToken()
			r.begin(f)
			if _, err := r.s.Finish(t.Context(), f, extraction.StatusSuccess, testKept, new(Change).Result(f.Seq)); err != nil {
				t.Fatal(err)
			}
			got := r.get(f)
			if made && (got.Step != extraction.StepDeliver || got.Deliveries.State != DeliveryPending || got.Deliveries.Number <= number) {
				t.Errorf("afterwards %+v, want a new delivery due", got)
			}
			if !made && (got.Step != "" || got.Deliveries.State != DeliveryDelivered) {
				t.Errorf("afterwards %+v, want it delivered", got)
			}
		})
	}
}

// A delivery that has been made keeps its number while the result is fetched again: only one
// that is still to come waits for it, under the next number.
func TestRefetchAfterDelivery(t *testing.T) {
	t.Parallel()
	for _, outcome := range []DeliveryState{DeliveryDelivered, DeliveryFailed} {
		r := newRig(t)
		in := testInput()
		in.CallbackURL = "https://producer.test/"
		if _, err := r.s.Create(t.Context(), in, Creation{Token: NewToken()}); err != nil {
			t.Fatal(err)
		}
		f := r.begin(Fence{Input: in, Seq: 1, Token: NewToken()}).Fence
		f = r.begin(r.next(f, extraction.StepPoll, new(Change).Vendor("v"))).Fence
		_, err := r.s.Finish(t.Context(), f, extraction.StatusSuccess, testKept, new(Change).Result(f.Seq))
		r.want("Finish", err, nil)
		_, err = r.s.Delivered(t.Context(), in, NewToken(), 1, outcome, 204, 0, "")
		r.want("Delivered", err, nil)
		_, err = r.s.Refetch(t.Context(), in, NewToken(), f.Seq)
		r.want("Refetch", err, nil)
		if got := r.get(f).Deliveries; got.Number != 1 || got.State != outcome {
			t.Errorf("while it is fetched again: %+v, want delivery 1 %s", got, outcome)
		}
	}
}
