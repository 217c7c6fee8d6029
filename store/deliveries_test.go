package store

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

// ended makes a final extraction with a callback.
// redeliver begins the deliveries anew.
func (r *rig) redeliver(in Input) (Scheduled, error) {
	return r.s.Redeliver(r.t.Context(), in, NewToken(), r.get(Fence{Input: in}).Deliveries.Number, true)
}

func (r *rig) ended() Input {
	r.t.Helper()
	in := testInput()
	in.CallbackURL, in.CallbackKey = "https://producer.test/hook", "billing"
	if _, err := r.s.Create(r.t.Context(), in, Creation{Token: NewToken()}); err != nil {
		r.t.Fatal(err)
	}
	f := r.begin(Fence{Input: in, Seq: 1, Token: NewToken()}).Fence
	if _, err := r.s.Finish(r.t.Context(), f, extraction.StatusSuccess, testKept, nil); err != nil {
		r.t.Fatal(err)
	}
	return in
}

// A worker that looked at an extraction before its delivery was made anew does not put
// the next look off.
func TestTouchAfterRedeliver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := Fence{Input: r.ended()}
	f.Seq = r.get(f).Seq
	r.overdue(f)
	if _, err := r.redeliver(f.Input); err != nil {
		t.Fatal(err)
	}
	before := r.due(f)
	f.Token = NewToken()
	r.want("Touch after Redeliver", r.s.Touch(t.Context(), f, time.Hour, false), ErrStale)
	if got := r.due(f); !got.Equal(before) {
		t.Errorf("reconcile looks at %v, want %v", got, before)
	}
}

func TestDelivered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.ended()
	f := Fence{Input: in}
	got := r.get(f)
	e := got.Extraction()
	if got.Deliveries.Number != 1 || got.Deliveries.State != DeliveryPending || e.Next == nil || e.Next.Step != extraction.StepDeliver ||
		e.Callback.State != "pending" || e.Callback.Attempts != 0 || e.Callback.NextAt.IsZero() {
		t.Fatalf("ended with %+v, next %+v, callback %+v", got.Deliveries, e.Next, e.Callback)
	}
	if late := r.due(f).Sub(got.FinishedAt); late != grace {
		t.Errorf("reconcile looks for the delivery %v after the end, want %v", late, grace)
	}

	token := NewToken()
	next, err := r.s.Delivered(t.Context(), in, token, 1, DeliveryPending, 503, time.Hour, "the host answers 503")
	if wait := next.Due.Sub(next.Now); err != nil || next.Seq != 2 || wait < time.Hour || wait > time.Hour+time.Second {
		t.Errorf("Delivered = %+v, %v", next, err)
	}
	if late := r.due(f).Sub(next.Due); late != grace {
		t.Errorf("reconcile looks %v after the next delivery, want %v", late, grace)
	}
	before := r.dump()
	again, err := r.s.Delivered(t.Context(), in, token, 1, DeliveryPending, 503, time.Hour, "the host answers 503")
	if err != nil || again.Seq != 2 {
		t.Errorf("replayed Delivered = %+v, %v", again, err)
	}
	if diff := cmp.Diff(before, r.dump()); diff != "" {
		t.Errorf("a replay or a refusal changed Redis (-before +after):\n%s", diff)
	}

	if _, err := r.s.Delivered(t.Context(), in, NewToken(), 2, DeliveryDelivered, 204, 0, ""); err != nil {
		t.Fatal(err)
	}
	got = r.get(f)
	e = got.Extraction()
	if got.Deliveries.State != DeliveryDelivered || e.Next != nil || e.Callback.Attempts != 2 || *e.Callback.LastStatus != 204 ||
		!e.Callback.NextAt.IsZero() {
		t.Errorf("delivered with %+v, next %+v, callback %+v", got.Deliveries, e.Next, e.Callback)
	}
	if _, listed := r.score(r.k.ready(), in.ID); listed {
		t.Error("what was delivered is still on the ready list")
	}
	if !r.due(f).Equal(got.DocumentExpiresAt) {
		t.Errorf("the next look is at %v, want %v, for the document", r.due(f), got.DocumentExpiresAt)
	}
	_, err = r.s.Redeliver(t.Context(), in, NewToken(), 2, false)
	r.want("Redeliver of a lost task that was delivered", err, ErrStale)
	if next, err := r.redeliver(in); err != nil || next.Seq != 3 {
		t.Errorf("Redeliver = %+v, %v", next, err)
	}
}

func TestRedeliverLostTask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.ended()
	_, err := r.s.Redeliver(t.Context(), in, NewToken(), 2, false)
	r.want("Redeliver of another number", err, ErrStale)
	token := NewToken()
	for range 2 {
		if next, err := r.s.Redeliver(t.Context(), in, token, 1, false); err != nil || next.Seq != 2 {
			t.Errorf("Redeliver = %+v, %v", next, err)
		}
	}
	if got := r.get(Fence{Input: in}); got.Deliveries.Attempts != 0 {
		t.Errorf("%d attempts, want none", got.Deliveries.Attempts)
	}
	if _, err := r.s.Delivered(t.Context(), in, NewToken(), 2, DeliveryFailed, 410, 0, "the host answers 410"); err != nil {
		t.Fatal(err)
	}
	if got := r.get(Fence{Input: in}); got.Deliveries.State != DeliveryFailed || got.Deliveries.Problem != "the host answers 410" {
		t.Errorf("now %+v", got.Deliveries)
	}
	if _, listed := r.score(r.k.ready(), in.ID); !listed {
		t.Error("what could not be delivered is not on the ready list")
	}
	_, err = r.redeliver(r.finished(extraction.StatusSuccess).Input)
	r.want("Redeliver without a callback", err, ErrStale)
	_, err = r.s.Redeliver(t.Context(), testInput(), NewToken(), 0, true)
	r.want("Redeliver of nothing", err, ErrNotFound)
}

// What is final comes once for each reader, the oldest first, until it is
// acknowledged.
func TestReady(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var want []string
	for i := range listPage + 10 {
		id := r.finished(extraction.StatusSuccess).Input.ID
		r.rdb.ZAdd(t.Context(), r.k.ready(), z(float64(1000+i/3), id))
		r.hset(Fence{Input: Input{ID: id}}, fieldFinishedAt, 1000+i/3)
		want = append(want, id)
	}
	read := func(after Cursor, most int) (ids []string, last Cursor) {
		for rec, err := range r.s.Ready(t.Context(), []string{"acme", "other"}, "", after) {
			if err != nil {
				t.Fatal(err)
			}
			ids, last = append(ids, rec.ID), ReadyCursorOf(rec)
			if len(ids) == most {
				break
			}
		}
		return ids, last
	}
	var got []string
	for after := (Cursor{}); ; {
		page, last := read(after, 50)
		if len(page) == 0 {
			break
		}
		got, after = append(got, page...), last
	}
	seen := map[string]bool{}
	for _, id := range got {
		seen[id] = true
	}
	if len(got) != len(want) || len(seen) != len(want) {
		t.Errorf("%d ready ones, %d different, want %d", len(got), len(seen), len(want))
	}
	if got[0] != slices.Max(want[:3]) && got[0] != slices.Min(want[:3]) {
		t.Errorf("the first is %s, want one of %v, which ended first", got[0], want[:3])
	}
	for range 2 { // To acknowledge twice does no harm.
		if _, err := r.s.Acknowledge(t.Context(), "acme", want[:5]...); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := read(Cursor{}, 0); len(left) != len(want)-5 {
		t.Errorf("%d are left, want %d", len(left), len(want)-5)
	}
}

// An attempt counts whatever it took: one that fails after its delivery was made due again
// leaves that to go on, and one that was delivered ends them all.
func TestLateDelivery(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.ended()
	if _, err := r.s.Redeliver(t.Context(), in, NewToken(), 1, false); err != nil { // It was taken for lost.
		t.Fatal(err)
	}
	due := r.get(Fence{Input: in}).Due
	_, err := r.s.Delivered(t.Context(), in, NewToken(), 1, DeliveryPending, 0, time.Hour, "no answer within 15s")
	r.want("a late failure", err, ErrStale)
	got := r.get(Fence{Input: in})
	if got.Deliveries.Attempts != 1 || got.Deliveries.Number != 2 || got.Deliveries.State != DeliveryPending || !got.Due.Equal(due) ||
		got.Deliveries.Problem != "no answer within 15s" {
		t.Errorf("after a late failure: %+v, due %v, want one attempt and the delivery due %v", got.Deliveries, got.Due, due)
	}
	if _, err := r.s.Delivered(t.Context(), in, NewToken(), 1, DeliveryDelivered, 200, 0, ""); err != nil {
		t.Fatal(err)
	}
	if got := r.get(Fence{Input: in}); got.Deliveries.State != DeliveryDelivered || got.Deliveries.Problem != "" {
		t.Errorf("after a late success: %+v", got.Deliveries)
	}
}

// What was seen of one delivery's task says nothing about the next one's, and redelivery
// begins its plan anew.
func TestNextDeliveryBeginsAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.ended()
	f := Fence{Input: in}
	f.Seq = r.get(f).Seq
	r.overdue(f)
	if err := r.s.Touch(t.Context(), f, time.Minute, true); err != nil {
		t.Fatal(err)
	}
	if _, err := r.s.Delivered(t.Context(), in, NewToken(), 1, DeliveryPending, 503, time.Second, "the host answers 503"); err != nil {
		t.Fatal(err)
	}
	if got := r.get(f); !got.Orphaned.IsZero() || got.Deliveries.Attempts != 1 {
		t.Errorf("the next delivery is orphaned since %v after %d attempts", got.Orphaned, got.Deliveries.Attempts)
	}
	if _, err := r.redeliver(in); err != nil {
		t.Fatal(err)
	}
	if got := r.get(f); got.Deliveries.Attempts != 0 || got.Deliveries.Status != 0 || got.Deliveries.Problem != "" {
		t.Errorf("redelivery goes on with %+v, want the first wait again, and no answer yet", got.Deliveries)
	}
}

// The answer to what a delivery came to is lost, and an operator asks for another one before
// the call is repeated: that one is made, and the attempt counts once.
func TestDeliveredAfterRedeliver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for state, word := range map[DeliveryState]string{DeliveryDelivered: "", DeliveryPending: "no answer"} {
		in := r.ended()
		token := NewToken()
		note := func(want error) {
			t.Helper()
			_, err := r.s.Delivered(t.Context(), in, token, 1, state, 0, time.Hour, word)
			r.want(string(state), err, want)
		}
		note(nil)
		if _, err := r.redeliver(in); err != nil {
			t.Fatal(err)
		}
		before := r.dump()
		note(ErrStale)
		if diff := cmp.Diff(before, r.dump()); diff != "" {
			t.Errorf("%s, repeated, changed Redis (-before +after):\n%s", state, diff)
		}
	}
}
