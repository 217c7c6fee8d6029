package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// run starts a worker without ticks: a test makes its own.
func (r *rig) run(w *Worker) (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	r.t.Cleanup(stop)
	return stop
}

// tick looks after an account as the worker's loop does.
func (r *rig) tick(w *Worker, account string) {
	r.t.Helper()
	if _, own := w.account(account); !own {
		duties{w: w}.ReconcileGone(r.t.Context())
		return
	}
	duties{w: w}.Reconcile(r.t.Context(), account)
}

func (r *rig) reload(w *Worker, accounts ...Account) {
	r.t.Helper()
	if err := w.Reload(r.t.Context(), accounts); err != nil {
		r.t.Fatal(err)
	}
}

// submitTo is submit for another account than the rig's own.
func (r *rig) submitTo(account, body string) string {
	r.t.Helper()
	e, err := r.client.Submit(r.t.Context(), intake.Submission{
		Account: account, Provider: "fake", Type: "t", Name: "a.pdf", Document: strings.NewReader(body),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return e.ID
}

func (r *rig) getOf(account, id string) store.Record {
	r.t.Helper()
	got, err := r.records.Get(r.t.Context(), account, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// queuePaused reports whether an account's submissions are paused in the web UI for those that
// look at the queue.
func (r *rig) queuePaused(account string) bool {
	r.t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(r.rdb).GetQueueInfo(queue.SubmitQueue(account))
	if err != nil {
		r.t.Fatal(err)
	}
	return info.Paused
}

// A step ends with the key and the limits it began with; the next one has the
// new ones.
func TestReloadSwapsAccount(t *testing.T) {
	t.Parallel()
	before, after := newVendor(), newVendor()
	began, end := make(chan struct{}), make(chan struct{})
	before.onSubmit = func(int, extraction.Submission) error {
		close(began)
		<-end
		return nil
	}
	r := newRig(t, before)
	w := r.worker()
	first := r.submit("first")
	done := make(chan error, 1)
	go func() {
		_, err := w.submit(context.Background(), r.payload(first))
		done <- err
	}()
	<-began
	next := r.cfg.Accounts[0]
	next.Provider, next.MaxInFlight = after, 1
	r.reload(w, next)
	w.serve(t.Context())
	second := r.submit("second")
	if _, err := w.submit(t.Context(), r.payload(second)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(second); got.Status != extraction.StatusQueued || got.Because != extraction.BecauseInFlight {
		t.Errorf("with one slot, and that taken: %s because of %s", got.Status, got.Because)
	}
	close(end)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := r.get(first); got.Status != extraction.StatusInProgress || before.submits != 1 || after.submits != 0 {
		t.Errorf("the step that had begun: %s, %d submissions before and %d after", got.Status, before.submits, after.submits)
	}
	if _, err := w.poll(t.Context(), r.payload(first)); err != nil {
		t.Fatal(err)
	}
	if len(before.polls) != 0 || len(after.polls) != 1 {
		t.Errorf("the next step asked the old provider %d times and the new one %d times", len(before.polls), len(after.polls))
	}
}

// Accounts that are wrong change nothing.
func TestReloadRefuses(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	good := r.cfg.Accounts[0]
	good.Rate = 77
	if err := w.Reload(t.Context(), []Account{good, {Name: "Not a name", Provider: v}}); err == nil {
		t.Error("a name that is none was accepted")
	}
	if a, ok := w.account("acme"); !ok || a.Rate == 77 || len(w.all()) != 1 {
		t.Errorf("after the refusal: %+v, %d accounts, want what was there", a, len(w.all()))
	}
}

// An account that is new is served, one that has left is not any more, one that
// is back goes on: all without a restart, and without a document lost.
func TestReloadAddsAndRemoves(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	acme, beta := r.cfg.Accounts[0], r.cfg.Accounts[0]
	beta.Name = "beta"
	r.run(w)
	waits := r.submitTo("beta", "waits")
	r.reload(w, acme, beta)
	r.await("the new account is served", func() bool { return r.getOf("beta", waits).Status == extraction.StatusSuccess })

	r.reload(w, acme)
	left := r.submitTo("beta", "left")
	r.tick(w, "beta")
	if got := r.final(r.submit("other")); got.Status != extraction.StatusSuccess {
		t.Errorf("the account that stayed: %s", got.Status)
	}
	if !r.queuePaused("beta") || r.queuePaused("acme") {
		t.Errorf("paused: beta %v, acme %v, want the one that left", r.queuePaused("beta"), r.queuePaused("acme"))
	}
	if got := r.getOf("beta", left); got.Status != extraction.StatusQueued || v.submits != 2 {
		t.Errorf("the account that left: %s, %d submissions", got.Status, v.submits)
	}

	r.reload(w, acme, beta)
	r.tick(w, "beta")
	r.await("the account that is back", func() bool { return r.getOf("beta", left).Status == extraction.StatusSuccess })
	if r.queuePaused("beta") {
		t.Error("the queue is still paused")
	}
}

// An account that one worker does not know and another one serves is not gone.
func TestServedElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	r.submitTo("beta", "x")
	w := r.worker()
	if _, err := r.limiter.Serve(t.Context(), "beta", "another worker"); err != nil {
		t.Fatal(err)
	}
	r.tick(w, "beta")
	if r.queuePaused("beta") {
		t.Error("an account that is served was paused")
	}
	if err := r.limiter.Leave(t.Context(), "beta", "another worker"); err != nil {
		t.Fatal(err)
	}
	r.tick(w, "beta")
	if !r.queuePaused("beta") {
		t.Error("an account without a worker was not paused")
	}
	// A running worker says that it serves its own, and takes it back.
	stop := r.run(w)
	served := func() bool {
		ok, err := r.limiter.Served(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	r.await("the worker is noted", served)
	stop()
	if served() {
		t.Error("a worker that has stopped is still noted")
	}
}

// What is final at an account that left expires as everything does, however many
// unfinished ones are due before it; those stay.
func TestGoneExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	w := r.worker()
	finished := r.submit("finished")
	for _, step := range []func(context.Context, queue.Payload) (*queue.Outcome, error){w.submit, w.poll} {
		if _, err := step(t.Context(), r.payload(finished)); err != nil {
			t.Fatal(err)
		}
	}
	held := r.submit("held") // By a worker that died.
	if _, err := r.records.Begin(t.Context(), store.Fence{
		Input: store.Input{ID: held, Account: "acme"}, Seq: 1, Token: store.NewToken(),
	}, extraction.StepSubmit, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	var waiting []string
	for i := range reconcileLimit + 20 {
		id := r.submit(fmt.Sprint("waiting ", i))
		r.overdue(id)
		waiting = append(waiting, id)
	}
	// No worker has the account now, and the retention of the finished one is over.
	r.cfg.Accounts = nil
	w = r.worker()
	r.hset(finished, "exp", ago(time.Minute))
	if err := r.rdb.ZAddXX(t.Context(), "extractq:{acme}:due", z(2, finished)).Err(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.tick(w, "acme")
	}
	if _, err := r.records.Get(t.Context(), "acme", finished); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the finished one: %v, want it erased", err)
	}
	if _, err := r.blobs.OpenDocument(t.Context(), finished); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("its document: %v, want it erased", err)
	}
	for _, id := range append(waiting, held) {
		if got := r.get(id); got.Status.Final() || got.Owner != "" {
			t.Fatalf("%s is %s, held by %q, want it to wait", id, got.Status, got.Owner)
		}
	}
	if due, _, err := r.records.Due(t.Context(), "acme", 1000); err != nil || len(due) != 0 {
		t.Errorf("%d are due, %v, want all of them looked at", len(due), err)
	}
}

// A new key is tried at once, an old one only when its time has come.
func TestNewKeyIsProbed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reason limiter.Reason
		key    string
		want   int64 // Probes.
	}{
		"new key":                   {limiter.Unauthorized, "new", 1},
		"the same key":              {limiter.Unauthorized, "old", 0},
		"back to one before":        {limiter.Unauthorized, "refused before", 1},
		"new key, paused by hand":   {limiter.Operator, "new", 0},
		"new key, used-up plan":     {limiter.Quota, "new", 0},
		"new key, vendor is down":   {limiter.Unavailable, "new", 0},
		"new key, nothing is wrong": {limiter.Active, "new", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			var probes atomic.Int64
			v.onProbe = func() error { probes.Add(1); return nil }
			r := newRig(t, v)
			r.cfg.Accounts[0].Key = "old"
			w := r.worker()
			if tt.reason != limiter.Active {
				if _, err := r.limiter.Pause(t.Context(), "acme", tt.reason, "refused before", "401"); err != nil {
					t.Fatal(err)
				}
				s, err := r.limiter.State(t.Context(), "acme")
				if err != nil {
					t.Fatal(err)
				}
				if err := r.limiter.Probed(t.Context(), "acme", s, "old", "401"); err != nil {
					t.Fatal(err)
				}
			}
			next := r.cfg.Accounts[0]
			next.Key = tt.key
			r.reload(w, next)
			if probes.Load() != tt.want {
				t.Errorf("%d probes, want %d", probes.Load(), tt.want)
			}
			want := tt.reason
			if tt.want > 0 {
				want = limiter.Active
			}
			if s, err := r.limiter.State(t.Context(), "acme"); err != nil || s.Reason != want {
				t.Errorf("paused for %q, %v, want %q", s.Reason, err, want)
			}
		})
	}
}

// Two workers have different keys, and the vendor refuses both. Each key is tried
// once, not in turns.
func TestRefusedKeysAreNotTriedInTurns(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var probes atomic.Int64
	v.onProbe = func() error {
		probes.Add(1)
		return &extraction.Error{Op: "probe", Kind: extraction.KindUnauthorized, Err: errors.New("401")}
	}
	r := newRig(t, v)
	if _, err := r.limiter.Pause(t.Context(), "acme", limiter.Unauthorized, "old", "401"); err != nil {
		t.Fatal(err)
	}
	var workers []*Worker
	for _, key := range []string{"old", "new"} {
		r.cfg.Accounts[0].Key = key
		workers = append(workers, r.worker())
	}
	for range 5 {
		for _, w := range workers {
			r.tick(w, "acme")
		}
	}
	if probes.Load() != 1 {
		t.Errorf("%d probes, want the new key tried once", probes.Load())
	}
}

// Reloading again and again under load loses nothing and submits nothing twice.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	r.run(w)
	var ids []string
	for i := range 60 {
		ids = append(ids, r.submit(fmt.Sprint("document ", i)))
		if i%3 == 0 {
			next := r.cfg.Accounts[0]
			next.Key, next.MaxInFlight = fmt.Sprint("key ", i), 10+i
			r.reload(w, next)
		}
		if i%20 == 10 { // It is away for a moment.
			r.reload(w)
			r.reload(w, r.cfg.Accounts[0])
		}
	}
	for _, id := range ids {
		if got := r.final(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s ended %s %+v", id, got.Status, got.Failure)
		}
	}
	if len(v.bodies) != len(ids) || v.submits != len(ids) {
		t.Errorf("%d submissions of %d documents, want one of each of %d", v.submits, len(v.bodies), len(ids))
	}
}
