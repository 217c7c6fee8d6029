package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in, token := testInput(), NewToken()
	f := Fence{Input: in}
	created, err := r.s.Create(t.Context(), in, Creation{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	first, got := created.CreatedAt, r.get(f)
	if diff := cmp.Diff(got, created); diff != "" {
		t.Errorf("Create returned another record (-stored +returned):\n%s", diff)
	}
	in.Version = recordVersion
	if diff := cmp.Diff(in, got.Input); diff != "" {
		t.Errorf("input (-want +got):\n%s", diff)
	}
	if got.Status != extraction.StatusQueued || got.Seq != 1 || got.Step != extraction.StepSubmit ||
		!got.CreatedAt.Equal(first) || !got.Due.Equal(first) {
		t.Errorf("got %+v, want QUEUED, seq 1, submit, created and due at %v", got, first)
	}
	if late := r.due(f).Sub(first); late < grace || late > grace+time.Second {
		t.Errorf("the first look is %v after the creation, want about %v", late, grace)
	}

	before := r.dump()
	again, err := r.s.Create(t.Context(), in, Creation{Token: token})
	if err != nil || !again.CreatedAt.Equal(first) {
		t.Errorf("replayed Create = %v, %v, want %v", again, err, first)
	}
	other := in
	other.Type = "invoice"
	_, err = r.s.Create(t.Context(), other, Creation{Token: NewToken()})
	r.want("Create of a taken id", err, ErrExists)
	if diff := cmp.Diff(before, r.dump()); diff != "" {
		t.Errorf("a replay or a refusal changed Redis (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff([]extraction.Status{extraction.StatusQueued}, r.statuses(f)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[extraction.Status]int{extraction.StatusQueued: 1}, r.counts()); diff != "" {
		t.Errorf("batch counts (-want +got):\n%s", diff)
	}
}

// What finished long ago and waits for its retention must not keep reconcile
// from a fresh extraction whose task was lost.
func TestCreateBesideFinished(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const finished = 20_000
	pipe := r.rdb.Pipeline()
	expires := float64(time.Now().Add(24 * time.Hour).UnixMilli())
	for range finished {
		pipe.ZAdd(t.Context(), r.k.due(), z(expires, NewID()))
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := r.create()
	if late := r.due(f).Sub(r.get(f).CreatedAt); late > 2*grace {
		t.Errorf("beside %d finished extractions the first look is %v after the creation, want about %v", finished, late, grace)
	}
}

// Many that are adopted at once are looked at in proportion: 250 a second.
func TestAdoptInBacklog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const backlog = 5_000
	pipe := r.rdb.Pipeline()
	soon := float64(time.Now().Add(time.Second).UnixMilli())
	for range backlog {
		pipe.ZAdd(t.Context(), r.k.due(), z(soon, NewID()))
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := Fence{Input: testInput()}
	if _, err := r.s.Create(t.Context(), f.Input, Creation{Token: NewToken(), VendorID: "v1"}); err != nil {
		t.Fatal(err)
	}
	if late, want := r.due(f).Sub(r.get(f).CreatedAt), backlog*4*time.Millisecond; late < want {
		t.Errorf("behind %d others the first look is %v after the creation, want at least %v", backlog, late, want)
	}
}

func TestBegin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.create()
	l := r.begin(f)
	if l.Record.Owner != f.Token || !l.Record.Lease.Equal(l.Now.Add(testLease)) ||
		l.Record.Status != extraction.StatusSubmitting || l.Input.Type != "tax_forms" {
		t.Errorf("leased %+v, want it owned by %s until %v", l.Record, f.Token, l.Now.Add(testLease))
	}
	if got := r.due(f); !got.Equal(l.Record.Lease) {
		t.Errorf("due %v, want the lease's end %v", got, l.Record.Lease)
	}
	if !r.inFlight(f) {
		t.Error("the submission holds no slot")
	}

	// A replay with the same token gives the same lease and changes nothing.
	before := r.dump()
	again, err := r.s.Begin(t.Context(), f, extraction.StepSubmit, testLease)
	if err != nil || !again.Record.Lease.Equal(l.Record.Lease) {
		t.Errorf("replayed Begin = lease until %v, %v, want %v", again.Record.Lease, err, l.Record.Lease)
	}
	if diff := cmp.Diff(before, r.dump()); diff != "" {
		t.Errorf("a replay changed Redis (-before +after):\n%s", diff)
	}
}

func TestBeginVerdicts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	begin := func(f Fence, step extraction.Step) error {
		f.Token = NewToken()
		_, err := r.s.Begin(t.Context(), f, step, testLease)
		return err
	}
	r.want("Begin of nothing", begin(Fence{Input: testInput(), Seq: 1}, extraction.StepSubmit), ErrNotFound)

	f := r.create()
	stale := f
	stale.Seq = 2
	r.want("Begin of a future seq", begin(stale, extraction.StepSubmit), ErrStale)
	stale.Seq = 0
	r.want("Begin of a past seq", begin(stale, extraction.StepSubmit), ErrStale)
	r.begin(f)
	r.want("Begin of a held step", begin(f, extraction.StepSubmit), ErrBusy)
	r.lapse(f)
	r.want("Begin of a lapsed step", begin(f, extraction.StepSubmit), ErrBusy) // Only reissue ends a lapsed lease.

	last := r.finished(extraction.StatusSuccess)
	r.want("Begin of a final extraction", begin(last, extraction.StepSubmit), ErrFinal)
	last.Seq++
	r.want("Begin of a final extraction's next seq", begin(last, extraction.StepSubmit), ErrFinal)

	opened := r.next(r.begin(r.create()).Fence, extraction.StepSubmit, new(Change).Phase(PhaseOpened))
	r.window(Window{Released: 10, InFlight: 1})
	waits := r.create()
	r.want("Begin without a slot", begin(waits, extraction.StepSubmit), ErrWaits)
	if got := r.get(waits); got.Status != extraction.StatusQueued || got.Owner != "" || r.inFlight(waits) {
		t.Errorf("a refused Begin left %s owned by %q", got.Status, got.Owner)
	}
	// A step that holds a slot already needs no second one.
	r.want("Begin with a slot of its own", begin(opened, extraction.StepSubmit), nil)
	poll := r.create()
	r.want("Begin of a step that is not the record's", begin(poll, extraction.StepPoll), ErrStale)
}

func TestRenew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.begin(r.create()).Fence
	if err := r.s.Renew(t.Context(), f, time.Hour); err != nil {
		t.Fatal(err)
	}
	got := r.get(f)
	if left := time.Until(got.Lease); left < 59*time.Minute {
		t.Errorf("the renewed lease lasts %v, want an hour", left)
	}
	if !r.due(f).Equal(got.Lease) {
		t.Errorf("due %v, want the lease's end %v", r.due(f), got.Lease)
	}
	foreign := f
	foreign.Token = NewToken()
	r.want("Renew by another", r.s.Renew(t.Context(), foreign, time.Hour), ErrStale)
	r.next(f, extraction.StepPoll, nil)
	r.want("Renew after the end", r.s.Renew(t.Context(), f, time.Hour), ErrStale)
}

func TestMark(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.begin(r.create()).Fence
	until := time.UnixMilli(time.Now().Add(time.Hour).UnixMilli()).UTC()
	trouble := extraction.Trouble{Code: extraction.CodeVendorFailed, Message: "m"}
	c := new(Change).Phase(PhaseOpened).Attempts(3).Vendor("v1").VendorStatus("WAITING now").
		Upload("https://upload.test/?sig=s", until).UploadGone(true).WaitingSince(until).MissingSince(until).
		SentAt(until).Uncertain(until).Polls(5).SubmitErrors(6, until).PollErrors(7).Trouble(trouble)
	for range 2 { // The second is a replay.
		if err := r.s.Mark(t.Context(), f, c); err != nil {
			t.Fatal(err)
		}
	}
	got := r.get(f)
	want := got
	want.Phase, want.Attempts, want.VendorID, want.VendorStatus = PhaseOpened, 3, "v1", "WAITINGnow"
	want.UploadExpires, want.UploadGone, want.WaitingSince, want.MissingSince = until, true, until, until
	want.SentAt, want.UncertainUntil, want.Polls = until, until, 5
	want.SubmitErrors, want.FailingSince, want.PollErrors, want.Trouble = 6, until, 7, &trouble
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("marked record (-want +got):\n%s", diff)
	}
	if url, err := r.s.UploadURL(t.Context(), f.Input); err != nil || url != "https://upload.test/?sig=s" {
		t.Errorf("UploadURL = %q, %v", url, err)
	}
	if unknown, err := r.s.Unknown(t.Context(), "acme", []string{"v1", "v2"}); err != nil || !cmp.Equal(unknown, []string{"v2"}) {
		t.Errorf("Unknown = %v, %v, want v2", unknown, err)
	}

	gone := new(Change).Vendor("").VendorStatus("").Upload("", time.Time{}).UploadGone(false).
		WaitingSince(time.Time{}).SubmitErrors(0, time.Time{})
	if err := r.s.Mark(t.Context(), f, gone); err != nil {
		t.Fatal(err)
	}
	if got := r.get(f); got.VendorID != "" || got.UploadGone || !got.UploadExpires.IsZero() || got.SubmitErrors != 0 {
		t.Errorf("an erased field is still there: %+v", got)
	}
	if unknown, err := r.s.Unknown(t.Context(), "acme", []string{"v1"}); err != nil || len(unknown) != 1 {
		t.Errorf("Unknown = %v, %v, want v1 forgotten", unknown, err)
	}
	if url, err := r.s.UploadURL(t.Context(), f.Input); err != nil || url != "" {
		t.Errorf("UploadURL = %q, %v, want none", url, err)
	}

	foreign := f
	foreign.Token = NewToken()
	before := r.dump()
	r.want("Mark by another", r.s.Mark(t.Context(), foreign, new(Change).Polls(99)), ErrStale)
	if diff := cmp.Diff(before, r.dump()); diff != "" {
		t.Errorf("a foreign Mark changed Redis:\n%s", diff)
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.begin(r.create()).Fence
	for _, delay := range []time.Duration{1, 1500, 2000, 59_999} {
		got, err := r.s.Next(t.Context(), f, extraction.StepPoll, delay*time.Millisecond, extraction.BecauseScheduled, nil)
		if err != nil {
			t.Fatal(err)
		}
		wait := got.Due.Sub(got.Now)
		if got.Due.UnixMilli()%1000 != 0 || wait < delay*time.Millisecond || wait > delay*time.Millisecond+time.Second {
			t.Errorf("due %v after %v for a delay of %v, want the next whole second", got.Due, wait, delay*time.Millisecond)
		}
		if got.Seq != f.Seq+1 || !r.due(f).Equal(got.Due.Add(grace)) {
			t.Errorf("seq %d looked at %v, want %d at %v", got.Seq, r.due(f), f.Seq+1, got.Due.Add(grace))
		}
		rec := r.get(f)
		if rec.Owner != "" || !rec.Lease.IsZero() || rec.Seq != got.Seq || !rec.Due.Equal(got.Due) {
			t.Errorf("the record is %+v, want it released at seq %d", rec, got.Seq)
		}

		// The replay of the same attempt gives the same step.
		before := r.dump()
		again, err := r.s.Next(t.Context(), f, extraction.StepPoll, delay*time.Millisecond, extraction.BecauseScheduled, nil)
		if err != nil || again.Seq != got.Seq || !again.Due.Equal(got.Due) {
			t.Errorf("replayed Next = %+v, %v, want %+v", again, err, got)
		}
		if diff := cmp.Diff(before, r.dump()); diff != "" {
			t.Errorf("a replay changed Redis:\n%s", diff)
		}
		f = r.begin(Fence{Input: f.Input, Seq: got.Seq, Token: NewToken()}).Fence
	}
	at, err := r.s.Next(t.Context(), f, extraction.StepPoll, 0, extraction.BecauseScheduled, nil)
	if err != nil || !at.Due.Equal(at.Now) {
		t.Errorf("Next without delay = %+v, %v, want it due at once", at, err)
	}
}

func TestNextRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	next := func(f Fence) error {
		_, err := r.s.Next(t.Context(), f, extraction.StepPoll, 0, extraction.BecauseScheduled, nil)
		return err
	}
	r.want("Next of nothing", next(Fence{Input: testInput(), Seq: 1, Token: NewToken()}), ErrNotFound)
	f := r.begin(r.create()).Fence
	foreign := f
	foreign.Token = NewToken()
	r.want("Next under a foreign lease", next(foreign), ErrStale)
	r.lapse(f)
	r.want("Next under a foreign lapsed lease", next(foreign), ErrStale)
	stale := f
	stale.Seq++
	r.want("Next with another seq", next(stale), ErrStale)
	r.want("Next by the holder of a lapsed lease", next(f), nil)
	r.want("Next by the former holder, replayed", next(f), nil)
	foreign.Seq = 1
	r.want("Next with the seq before", next(foreign), ErrStale)
	foreign.Seq = 2
	r.want("Next without a lease", next(foreign), ErrStale)
	last := r.finished(extraction.StatusError)
	last.Token = NewToken()
	r.want("Next of a final extraction", next(last), ErrFinal)
}

// A hint that arrives while a poll runs pulls the next one forward, once.
func TestNextHint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.begin(r.polling()).Fence
	r.hset(f, "hint", "1")
	at, err := r.s.Next(t.Context(), f, extraction.StepPoll, time.Hour, extraction.BecauseScheduled, nil)
	if err != nil || !at.Due.Equal(at.Now) {
		t.Fatalf("Next with a hint = %+v, %v, want it due at once", at, err)
	}
	f = r.begin(Fence{Input: f.Input, Seq: at.Seq, Token: NewToken()}).Fence
	at, err = r.s.Next(t.Context(), f, extraction.StepPoll, time.Hour, extraction.BecauseScheduled, nil)
	if err != nil || at.Due.Sub(at.Now) < time.Hour {
		t.Errorf("the Next after it = %+v, %v, want it due in an hour", at, err)
	}
}

// An in-flight slot goes back with the return to QUEUED, and stays while the
// vendor may hold something of the extraction.
func TestNextSlot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		phase  Phase
		status extraction.Status
		kept   bool
	}{
		{PhaseNone, extraction.StatusQueued, false},
		{PhaseOpened, extraction.StatusSubmitting, true},
		{PhaseSent, extraction.StatusSubmitting, true},
		{PhaseUncertain, extraction.StatusSubmitting, true},
	} {
		t.Run("phase="+string(tt.phase), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			f := r.begin(r.create()).Fence
			r.next(f, extraction.StepSubmit, new(Change).Phase(tt.phase))
			if got := r.get(f).Status; got != tt.status || r.inFlight(f) != tt.kept {
				t.Errorf("got %s with slot %v, want %s with %v", got, r.inFlight(f), tt.status, tt.kept)
			}
		})
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	opened := r.next(r.begin(r.create()).Fence, extraction.StepSubmit,
		new(Change).Phase(PhaseOpened).Vendor("v1").Upload("https://upload.test/?sig=s", time.Now().Add(time.Hour)))
	f := r.begin(opened).Fence
	failure := extraction.NewFailure(extraction.CodeVendorFailed, "m", map[string]any{"why": "x"})
	finish := func() (Finished, error) {
		return r.s.Finish(t.Context(), f, extraction.StatusError, testKept, new(Change).Failure(failure).Result(9))
	}
	end, err := finish()
	if err != nil {
		t.Fatal(err)
	}
	at := end.At
	got := r.get(f)
	if got.Status != extraction.StatusError || !got.FinishedAt.Equal(at) || !got.ExpiresAt.Equal(at.Add(testKept.Record)) ||
		got.ResultSeq != 9 || got.Owner != "" || got.Phase != PhaseNone || got.Seq != f.Seq+1 {
		t.Errorf("finished as %+v", got)
	}
	if diff := cmp.Diff(failure, got.Failure); diff != "" {
		t.Errorf("failure (-want +got):\n%s", diff)
	}
	if r.inFlight(f) {
		t.Error("the slot is still held")
	}
	if url, err := r.s.UploadURL(t.Context(), f.Input); err != nil || url != "" {
		t.Errorf("UploadURL = %q, %v, want it erased", url, err)
	}
	if want := at.Add(testKept.For(extraction.StatusError).Document); !r.due(f).Equal(want) {
		t.Errorf("due %v, want the first look %v", r.due(f), want)
	}
	if _, ok := r.score(r.k.ready(), f.Input.ID); !ok {
		t.Error("not on the ready list")
	}
	if diff := cmp.Diff(map[extraction.Status]int{extraction.StatusError: 1}, r.counts()); diff != "" {
		t.Errorf("batch counts (-want +got):\n%s", diff)
	}
	want := []extraction.Status{extraction.StatusQueued, extraction.StatusSubmitting, extraction.StatusError}
	if diff := cmp.Diff(want, r.statuses(f)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}

	before := r.dump()
	again, err := finish()
	if err != nil || !again.At.Equal(at) {
		t.Errorf("replayed Finish = %v, %v, want %v", again, err, at)
	}
	loser := f
	loser.Token = NewToken()
	_, err = r.s.Finish(t.Context(), loser, extraction.StatusSuccess, testKept, new(Change).Result(1))
	r.want("Finish by the loser", err, ErrFinal)
	if diff := cmp.Diff(before, r.dump()); diff != "" {
		t.Errorf("a replay or the loser changed Redis:\n%s", diff)
	}

	_, err = r.s.Finish(t.Context(), Fence{Input: testInput(), Token: NewToken()}, extraction.StatusSuccess, testKept, nil)
	r.want("Finish of nothing", err, ErrNotFound)
	running := r.polling()
	_, err = r.s.Finish(t.Context(), running, extraction.StatusSuccess, testKept, nil)
	r.want("Finish without a lease", err, ErrStale)
	r.begin(running)
	running.Token = NewToken()
	_, err = r.s.Finish(t.Context(), running, extraction.StatusSuccess, testKept, nil)
	r.want("Finish under a foreign lease", err, ErrStale)
}

func TestReissue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	held := r.begin(r.create()).Fence
	f := Fence{Input: Input{ID: held.Input.ID, Account: "acme"}, Seq: 1, Token: NewToken()}
	_, _, err := r.s.Reissue(t.Context(), f)
	r.want("Reissue of a held step", err, ErrBusy)
	r.lapse(held)
	rec, at, err := r.s.Reissue(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if at.Seq != 2 || !at.Due.Equal(at.Now) || rec.Seq != 2 || rec.Owner != "" || rec.Type != "tax_forms" {
		t.Errorf("Reissue = %+v, %+v, want seq 2, due now and without a holder", rec, at)
	}
	if !r.inFlight(held) {
		t.Error("the slot went with the lease")
	}
	before := r.dump()
	_, again, err := r.s.Reissue(t.Context(), f)
	if err != nil || again.Seq != 2 || !again.Due.Equal(at.Due) {
		t.Errorf("replayed Reissue = %+v, %v, want %+v", again, err, at)
	}
	second := f
	second.Token = NewToken()
	_, _, err = r.s.Reissue(t.Context(), second)
	r.want("Reissue with the seq before", err, ErrStale)
	if diff := cmp.Diff(before, r.dump()); diff != "" {
		t.Errorf("a replay or a refusal changed Redis:\n%s", diff)
	}
	// The one who held the lapsed lease has lost it.
	r.want("Renew by the former holder", r.s.Renew(t.Context(), held, testLease), ErrStale)
	r.want("Mark by the former holder", r.s.Mark(t.Context(), held, new(Change).Polls(1)), ErrStale)
	_, err = r.s.Next(t.Context(), held, extraction.StepPoll, 0, extraction.BecauseScheduled, nil)
	r.want("Next by the former holder", err, ErrStale)
	_, err = r.s.Finish(t.Context(), held, extraction.StatusSuccess, testKept, nil)
	r.want("Finish by the former holder", err, ErrStale)

	_, _, err = r.s.Reissue(t.Context(), Fence{Input: testInput(), Seq: 1, Token: NewToken()})
	r.want("Reissue of nothing", err, ErrNotFound)
	last := r.finished(extraction.StatusSuccess)
	last.Token = NewToken()
	_, _, err = r.s.Reissue(t.Context(), last)
	r.want("Reissue of a final extraction", err, ErrFinal)
}

func TestTouch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.create()
	r.overdue(f)
	if err := r.s.Touch(t.Context(), f, time.Hour, true); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(r.due(f)); left < 59*time.Minute {
		t.Errorf("looked at again in %v, want an hour", left)
	}
	if r.get(f).Orphaned.IsZero() {
		t.Error("the orphan is not noted")
	}
	r.overdue(f)
	if err := r.s.Touch(t.Context(), f, time.Hour, false); err != nil {
		t.Fatal(err)
	}
	if !r.get(f).Orphaned.IsZero() {
		t.Error("the orphan is still noted")
	}
	r.overdue(f)
	if err := r.s.Touch(t.Context(), f, time.Hour, true); err != nil {
		t.Fatal(err)
	}
	l := r.begin(f)
	if !r.get(f).Orphaned.IsZero() {
		t.Error("a begun step is noted as an orphan")
	}
	r.want("Touch of a held step", r.s.Touch(t.Context(), f, time.Hour, false), ErrStale)
	if !r.due(f).Equal(l.Record.Lease) {
		t.Error("a refused Touch moved the due entry")
	}
	stale := f
	stale.Seq = 7
	r.want("Touch of another seq", r.s.Touch(t.Context(), stale, time.Hour, false), ErrStale)
}

func TestResolve(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sent := time.UnixMilli(time.Now().Add(-time.Minute).UnixMilli()).UTC()
	f := r.next(r.begin(r.create()).Fence, extraction.StepSubmit, new(Change).Phase(PhaseUncertain).SentAt(sent).
		Uncertain(time.Now().Add(time.Minute)))
	token := NewToken()
	at, err := r.s.Resolve(t.Context(), f.Input, token, "v9")
	if err != nil || at.Seq != f.Seq+1 || !at.Due.Equal(at.Now) {
		t.Fatalf("Resolve = %+v, %v, want seq %d at once", at, err, f.Seq+1)
	}
	got := r.get(f)
	if got.Status != extraction.StatusInProgress || got.Step != extraction.StepPoll || got.VendorID != "v9" ||
		got.Phase != PhaseNone || !got.UncertainUntil.IsZero() || !got.SubmittedAt.Equal(sent) || !r.inFlight(f) {
		t.Errorf("resolved to %+v", got)
	}
	if unknown, err := r.s.Unknown(t.Context(), "acme", []string{"v9"}); err != nil || len(unknown) != 0 {
		t.Errorf("Unknown = %v, %v, want v9 known", unknown, err)
	}
	before := r.dump()
	again, err := r.s.Resolve(t.Context(), f.Input, token, "v9")
	if err != nil || again.Seq != at.Seq {
		t.Errorf("replayed Resolve = %+v, %v, want %+v", again, err, at)
	}
	_, err = r.s.Resolve(t.Context(), f.Input, NewToken(), "v10")
	r.want("a second Resolve", err, ErrSupplanted)
	_, err = r.s.Resolve(t.Context(), f.Input, NewToken(), "v9")
	r.want("a Resolve with the id it has", err, ErrKnown)
	if diff := cmp.Diff(before, r.dump()); diff != "" {
		t.Errorf("a replay or a refusal changed Redis:\n%s", diff)
	}
	held := r.next(r.begin(r.create()).Fence, extraction.StepSubmit, new(Change).Phase(PhaseUncertain))
	r.begin(held)
	if at, err := r.s.Resolve(t.Context(), held.Input, NewToken(), "v11"); err != nil || at.Seq != held.Seq+1 {
		t.Errorf("Resolve of a held step = %+v, %v, want seq %d", at, err, held.Seq+1)
	}
	if got := r.get(held); got.VendorID != "v11" || got.Step != extraction.StepPoll || got.Owner != "" || !r.inFlight(held) {
		t.Errorf("resolved to %+v", got)
	}
	_, err = r.s.Resolve(t.Context(), testInput(), NewToken(), "v12")
	r.want("Resolve of nothing", err, ErrNotFound)
}

func TestErase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.finished(extraction.StatusSuccess)
	r.want("Erase before the retention is over", r.s.Erase(t.Context(), f.Input, false, testKept), ErrStale)
	r.hset(f, fieldExpiresAt, time.Now().Add(-time.Second).UnixMilli())
	r.want("Erase", r.s.Erase(t.Context(), f.Input, false, testKept), nil)
	var left []string
	for key := range r.dump() {
		if key != r.k.events() && key != r.k.batchCounts("b1") && key != accountsKey && key != r.k.tombs() && key != r.k.batches() && key != r.k.emptied() {
			left = append(left, key)
		}
	}
	if len(left) > 0 {
		t.Errorf("an erased extraction left %v", left)
	}
	if diff := cmp.Diff(map[extraction.Status]int{extraction.StatusSuccess: 1}, r.counts()); diff != "" {
		t.Errorf("batch counts (-want +got):\n%s", diff)
	}
	r.want("Erase again", r.s.Erase(t.Context(), f.Input, false, testKept), ErrNotFound)
	running := r.polling()
	r.want("Erase of a running extraction", r.s.Erase(t.Context(), running.Input, false, testKept), ErrStale)
	orphan := testInput()
	if err := r.rdb.ZAdd(t.Context(), r.k.due(), z(1, orphan.ID)).Err(); err != nil {
		t.Fatal(err)
	}
	r.want("Erase of a due entry alone", r.s.Erase(t.Context(), orphan, false, testKept), ErrNotFound)
	if _, ok := r.score(r.k.due(), orphan.ID); ok {
		t.Error("a due entry without a record is still there")
	}
}

// Only create makes a record.
func TestNothingFromNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	for _, token := range []string{NewToken(), ""} {
		f := Fence{Input: testInput(), Seq: 0, Token: token}
		c := new(Change).Vendor("v1").Upload("u", time.Now()).Trouble(extraction.Trouble{})
		for name, call := range map[string]func() error{
			"begin":   func() error { _, err := r.s.Begin(ctx, f, extraction.StepSubmit, testLease); return err },
			"renew":   func() error { return r.s.Renew(ctx, f, testLease) },
			"mark":    func() error { return r.s.Mark(ctx, f, c) },
			"next":    func() error { _, err := r.s.Next(ctx, f, extraction.StepPoll, 0, "retry", c); return err },
			"finish":  func() error { _, err := r.s.Finish(ctx, f, extraction.StatusError, testKept, c); return err },
			"reissue": func() error { _, _, err := r.s.Reissue(ctx, f); return err },
			"touch":   func() error { return r.s.Touch(ctx, f, 0, true) },
			"resolve": func() error { _, err := r.s.Resolve(ctx, f.Input, f.Token, "v1"); return err },
			"cancel":  func() error { return r.s.Cancel(ctx, f.Input, f.Token, testKept) },
			"claim":   func() error { _, err := r.s.ClaimRetry(ctx, f.Input, f.Token); return err },
			"erase":   func() error { return r.s.Erase(ctx, f.Input, true, testKept) },
		} {
			if err := call(); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrStale) {
				t.Errorf("%s of nothing with token %q = %v, want a refusal", name, token, err)
			}
		}
	}
	if got := r.dump(); len(got) > 0 {
		t.Errorf("something came from nothing: %v", got)
	}
}

// A key that Redis does not know as a script is loaded on the way.
func TestScriptsFlushed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.create()
	if err := r.rdb.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	r.begin(f)
}

func TestCanceledContext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.s.Create(ctx, testInput(), Creation{Token: NewToken()})
	r.want("Create", err, context.Canceled)
	if got := r.dump(); len(got) > 0 {
		t.Errorf("a cancelled Create wrote %v", got)
	}
}
