package worker

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// succeeded makes a SUCCESS, whose result is then damaged.
func (r *rig) succeeded(w *Worker) store.Record {
	r.t.Helper()
	id := r.polling(w, "x", time.Hour+time.Minute) // Its deadline is over.
	if _, err := w.poll(r.t.Context(), r.payload(id)); err != nil {
		r.t.Fatal(err)
	}
	rec := r.get(id)
	if rec.Status != extraction.StatusSuccess {
		r.t.Fatalf("%s is %s", id, rec.Status)
	}
	r.damage(rec)
	return rec
}

// damage replaces the stored result by another.
func (r *rig) damage(rec store.Record) {
	r.t.Helper()
	file := filepath.Join(r.dir, rec.ID, strconv.FormatInt(rec.ResultSeq, 10))
	if err := os.WriteFile(file, []byte(`{"raw":{"iban":"another"}}`), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// refetch asks for the result once more, which must not submit anything.
func (r *rig) refetch(id string) {
	r.t.Helper()
	e, err := r.client.Retry(r.t.Context(), "acme", id, false)
	if err != nil || e.ID != id || e.Status != extraction.StatusSuccess {
		r.t.Fatalf("Retry = %+v, %v", e, err)
	}
}

// stored are the blobs of an extraction.
func (r *rig) stored(id string) []string {
	r.t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.dir, id))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.Name() != "sent" && e.Name() != "accepted.json" { // They go with the record.
			out = append(out, e.Name())
		}
	}
	return out
}

// What the vendor still has replaces a damaged result, under another key and with nothing
// else of the end changed; what it has no more leaves the extraction as it was.
func TestFetchAgain(t *testing.T) {
	t.Parallel()
	answer := func(status extraction.Status) func(int) (extraction.Outcome, error) {
		return func(int) (extraction.Outcome, error) {
			return extraction.Outcome{Status: status, VendorStatus: "X"}, nil
		}
	}
	refuse := func(kind extraction.Kind, times int) func(int) (extraction.Outcome, error) {
		return func(n int) (extraction.Outcome, error) {
			if n <= times {
				return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: kind, Err: errors.New("no")}
			}
			return done(), nil
		}
	}
	for name, tt := range map[string]struct {
		answer func(n int) (extraction.Outcome, error) // To the nth poll for the result again.
		good   bool
		polls  int
	}{
		"it has it":              {refuse(extraction.KindTransient, 0), true, 1},
		"it fails at first":      {refuse(extraction.KindTransient, 2), true, 3},
		"it fails always":        {refuse(extraction.KindTransient, 1000), false, lastPolls},
		"it is gone":             {refuse(extraction.KindNotFound, 1000), false, 1},
		"it is too large":        {refuse(extraction.KindTooLarge, 1000), false, 1},
		"it has expired":         {answer(extraction.StatusExpired), false, 1},
		"it has failed":          {answer(extraction.StatusError), false, 1},
		"it has never finished":  {answer(extraction.StatusInProgress), false, 2},
		"a success of no result": {answer(extraction.StatusSuccess), false, lastPolls},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			asked := 0
			v.onPoll = func(string, int) (extraction.Outcome, error) {
				if asked++; asked == 1 {
					return done(), nil
				}
				return tt.answer(asked - 1)
			}
			r := newRig(t, v)
			ended := r.ends()
			w := r.worker()
			before := r.succeeded(w)
			id := before.ID
			counts := r.rdb.HGetAll(t.Context(), "extractq:{acme}:bn:b1").Val()
			learned := r.latency()
			r.refetch(id)
			r.refetch(id) // Asked for twice, it is fetched once.
			for range 10 {
				rec := r.get(id)
				if !rec.Fetching() {
					break
				}
				if !rec.MissingSince.IsZero() {
					r.hset(id, "nf", ago(2*missingLimit)) // It has said so for long.
				}
				if ended, err := w.poll(t.Context(), queue.For(rec, rec.Seq)); err != nil || ended != nil {
					t.Fatalf("poll = %+v, %v", ended, err)
				}
			}
			got := r.get(id)
			if asked-1 != tt.polls || v.submits != 1 {
				t.Errorf("%d polls and %d submissions, want %d and 1", asked-1, v.submits, tt.polls)
			}
			want := before
			want.Seq, want.Polls = got.Seq, before.Polls+tt.polls
			want.Trouble, want.FailingSince, want.MissingSince, want.PollErrors = got.Trouble, got.FailingSince, got.MissingSince, got.PollErrors
			if tt.good {
				want.ResultSeq = got.ResultSeq
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the record (-want +got):\n%s", diff)
			}
			if got.Step != "" || tt.good == (got.ResultSeq == before.ResultSeq) {
				t.Errorf("now %+v, before result %d", got, before.ResultSeq)
			}
			e, err := r.blobs.Whole(t.Context(), got)
			if err != nil || tt.good != (e.Error == nil) || tt.good && len(e.Result.Raw) == 0 {
				t.Errorf("now %+v with %+v, %v", e.Result, e.Error, err)
			}
			if !tt.good && (got.Trouble == nil || got.Trouble.Code != extraction.CodeResultUnavailable || !got.Trouble.OverAt.IsZero()) {
				t.Errorf("last_error is %+v, want why the result is not there", got.Trouble)
			}
			if diff := cmp.Diff([]string{strconv.FormatInt(got.ResultSeq, 10), "document"}, r.stored(id)); diff != "" {
				t.Errorf("blobs (-want +got):\n%s", diff)
			}
			if n := len(ended()); n != 1 {
				t.Errorf("%d ends were told, want the one", n)
			}
			if diff := cmp.Diff(counts, r.rdb.HGetAll(t.Context(), "extractq:{acme}:bn:b1").Val()); diff != "" {
				t.Errorf("the batch's counts (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(learned, r.latency()); diff != "" {
				t.Errorf("it was learned from (-before +after):\n%s", diff)
			}
			if _, err := r.client.Retry(t.Context(), "acme", id, true); tt.good != errors.Is(err, intake.ErrSucceeded) {
				t.Errorf("Retry afterwards = %v", err)
			}
		})
	}
}

// A worker that dies between the new result and the record leaves a step that the next one
// takes, and a blob that the hourly look deletes.
func TestFetchAgainAfterCrash(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	if err := store.Pair(t.Context(), r.records, r.blobs, store.Terms{}); err != nil {
		t.Fatal(err)
	}
	w := r.worker()
	before := r.succeeded(w)
	r.refetch(before.ID)
	dead := store.Fence{Input: before.Input, Seq: r.get(before.ID).Seq, Token: store.NewToken()}
	if _, err := r.records.Begin(t.Context(), dead, extraction.StepPoll, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := r.blobs.PutResult(t.Context(), before.ID, dead.Seq, done().Result); err != nil {
		t.Fatal(err)
	}
	r.hset(before.ID, "lease", ago(time.Second))
	r.overdue(before.ID)
	if got, err := w.reconcile(t.Context(), w.accounts["acme"]); err != nil || got.Reissued != 1 {
		t.Fatalf("reconcile = %+v, %v", got, err)
	}
	if _, err := w.poll(t.Context(), r.payload(before.ID)); err != nil {
		t.Fatal(err)
	}
	got := r.get(before.ID)
	if got.Fetching() || got.ResultSeq == before.ResultSeq || got.ResultSeq == dead.Seq {
		t.Errorf("now %+v", got)
	}
	old := time.Now().Add(-2 * time.Hour)
	for _, part := range r.stored(before.ID) {
		if err := os.Chtimes(filepath.Join(r.dir, before.ID, part), old, old); err != nil {
			t.Fatal(err)
		}
	}
	w.expireUnreferenced(t.Context())
	if diff := cmp.Diff([]string{strconv.FormatInt(got.ResultSeq, 10), "document"}, r.stored(before.ID)); diff != "" {
		t.Errorf("blobs (-want +got):\n%s", diff)
	}
}

// A lost task is made again, with the account in the configuration or not.
func TestFetchAgainLostTask(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	w := r.worker()
	id := r.succeeded(w).ID
	r.refetch(id)
	i := queue.New(r.rdb)
	for name, look := range map[string]func() (reconciled, error){
		"served": func() (reconciled, error) { return w.reconcile(t.Context(), w.accounts["acme"]) },
		"gone":   func() (reconciled, error) { return w.reconcileGone(t.Context(), "acme") },
	} {
		if err := r.rdb.Del(t.Context(), "asynq:{acme.poll}:t:"+queue.TaskID(id, r.get(id).Seq)).Err(); err != nil {
			t.Fatal(err)
		}
		r.overdue(id)
		if got, err := look(); err != nil || got.Reissued != 1 {
			t.Errorf("%s: %+v, %v, want it issued again", name, got, err)
		}
		if p, err := i.Presence("acme", id, extraction.StepPoll, r.get(id).Seq); err != nil || p != queue.Waiting {
			t.Errorf("%s: its task is %v, %v", name, p, err)
		}
	}
}

// What is deleted, or outlives its retention, while its result is being fetched leaves
// nothing behind.
func TestFetchAgainErased(t *testing.T) {
	t.Parallel()
	for name, erase := range map[string]func(r *rig, w *Worker, id string) error{
		"deleted": func(r *rig, _ *Worker, id string) error {
			_, err := r.client.Delete(r.t.Context(), "acme", id)
			return err
		},
		"expired": func(r *rig, w *Worker, id string) error {
			r.hset(id, "exp", ago(time.Second))
			r.overdue(id)
			_, err := w.reconcile(r.t.Context(), w.accounts["acme"])
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			r := newRig(t, v)
			w := r.worker()
			id := r.succeeded(w).ID
			r.refetch(id)
			v.onPoll = func(string, int) (extraction.Outcome, error) {
				if err := erase(r, w, id); err != nil {
					t.Errorf("erase: %v", err)
				}
				return done(), nil
			}
			if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Errorf("poll = %v", err)
			}
			if left := r.stored(id); len(left) != 0 {
				t.Errorf("blobs %v are left", left)
			}
			if keys := r.rdb.Keys(t.Context(), "extractq:*"+id+"*").Val(); len(keys) != 0 {
				t.Errorf("keys %v are left", keys)
			}
		})
	}
}

// A callback that was due when the result was found damaged has the good one.
func TestFetchAgainBeforeDelivery(t *testing.T) {
	t.Parallel()
	p := &producer{answer: func(int) DeliveryOutcome { return DeliveryOutcome{State: store.DeliveryDelivered, Status: 200} }}
	r := newRig(t, newVendor())
	r.cfg.Deliverer = p
	w := r.worker()
	id := r.submitWithCallback()
	for range 2 {
		if _, err := map[extraction.Step]func() (*queue.Outcome, error){
			extraction.StepSubmit: func() (*queue.Outcome, error) { return w.submit(t.Context(), r.payload(id)) },
			extraction.StepPoll:   func() (*queue.Outcome, error) { return w.poll(t.Context(), r.payload(id)) },
		}[r.get(id).Step](); err != nil {
			t.Fatal(err)
		}
	}
	rec := r.get(id)
	r.damage(rec)
	r.refetch(id)
	if _, err := w.deliver(t.Context(), queue.For(rec, rec.Deliveries.Number)); err != nil || len(p.deliveries()) != 0 {
		t.Fatalf("deliver while the result is fetched = %v, %d made", err, len(p.deliveries()))
	}
	r.start()
	r.delivered(id, store.DeliveryDelivered)
	got := p.deliveries()
	if len(got) != 1 || got[0].Extraction.Error != nil || len(got[0].Extraction.Result.Raw) == 0 {
		t.Errorf("delivered %+v, want it once with its result", got)
	}
}
