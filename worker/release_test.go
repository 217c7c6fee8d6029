package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// calls is the order in which the vendor was called to take documents. It answers
// once goOn is closed, so that what a test brings meanwhile finds the same ones
// waiting on a slow machine too.
type calls struct {
	mu   sync.Mutex
	ids  []string
	goOn chan struct{}
	over <-chan struct{} // The test.
}

func newCalls(t *testing.T) *calls {
	t.Helper()
	return &calls{goOn: make(chan struct{}), over: t.Context().Done()}
}

func (c *calls) note(_ int, s extraction.Submission) error {
	c.mu.Lock()
	c.ids = append(c.ids, extraction.TokenID(s.Name))
	c.mu.Unlock()
	select {
	case <-c.goOn:
	case <-c.over:
	}
	return nil
}

func (c *calls) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ids)
}

// bring submits one document of a customer.
func (r *rig) bring(customer string, p extraction.Priority) string {
	r.t.Helper()
	e, err := r.client.Submit(r.t.Context(), intake.Submission{
		Account: "acme", Provider: "fake", Type: "t", Name: "a.pdf", Document: strings.NewReader("x"),
		Customer: customer, Priority: p,
	})
	if err != nil {
		r.t.Fatalf("Submit: %v", err)
	}
	return e.ID
}

// backlog makes n extractions of a customer wait; so many of the first as documents
// says can be submitted.
func (r *rig) backlog(customer string, n, documents int) {
	r.t.Helper()
	if err := r.records.SetWindow(r.t.Context(), "acme", store.Window{}); err != nil {
		r.t.Fatal(err)
	}
	for range documents {
		r.bring(customer, "")
	}
	for i := documents; i < n; i++ {
		in := store.Input{ID: store.NewID(), Account: "acme", Provider: "fake", Type: "t", Customer: customer}
		if _, err := r.records.Create(r.t.Context(), in, store.Creation{Token: store.NewToken()}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// One document of another customer goes after a few calls, whatever waits before it.
func TestManyDoNotDelayOne(t *testing.T) {
	t.Parallel()
	v, order := newVendor(), newCalls(t)
	v.onSubmit = order.note
	r := newRig(t, v)
	r.cfg.Accounts[0].Rate, r.cfg.Accounts[0].MaxInFlight = 10, 20_000
	r.backlog("many", 10_000, 100)
	released := window(r.cfg.Accounts[0], r.cfg.Concurrency, 1).Released
	r.start()
	r.await("the first of many are submitted", func() bool { return len(order.list()) >= 5 })
	one := r.bring("one", "")
	before := len(order.list())
	close(order.goOn)
	r.await("the one is submitted", func() bool { return slices.Contains(order.list(), one) })
	if slot := slices.Index(order.list(), one) - before; slot > released+2 {
		t.Errorf("it went after %d others, want at most %d", slot, released+2)
	}
}

// Bulk goes when nothing normal waits, but for what had its turn already.
func TestBulkGoesLast(t *testing.T) {
	t.Parallel()
	v, order := newVendor(), newCalls(t)
	v.onSubmit = order.note
	r := newRig(t, v)
	r.cfg.Accounts[0].Rate = 10
	r.backlog("", 0, 0)
	released := window(r.cfg.Accounts[0], r.cfg.Concurrency, 1).Released
	bulk := map[string]bool{}
	for range 40 {
		bulk[r.bring("a", extraction.PriorityBulk)] = true
	}
	r.start()
	r.await("bulk is submitted", func() bool { return len(order.list()) >= 2 })
	var normal []string
	for i := range 10 {
		normal = append(normal, r.bring(fmt.Sprint("c", i%2), extraction.PriorityNormal))
	}
	before := len(order.list())
	close(order.goOn)
	r.await("all that is normal is submitted", func() bool {
		return !slices.ContainsFunc(normal, func(id string) bool { return !slices.Contains(order.list(), id) })
	})
	got, between := order.list(), 0
	for i, id := range got[before:] {
		if !bulk[id] {
			continue
		}
		if slices.ContainsFunc(normal, func(n string) bool { return slices.Index(got, n) > before+i }) {
			between++
		}
	}
	if between > released+2 {
		t.Errorf("%d of bulk went while normal ones waited, want at most %d", between, released+2)
	}
}

// submitTask is where the task of a submission is.
func (r *rig) submitTask(id string) asynq.TaskState {
	r.t.Helper()
	rec := r.get(id)
	info, err := asynq.NewInspectorFromRedisClient(r.rdb).GetTaskInfo(queue.SubmitQueue("acme"), queue.TaskID(id, rec.Seq))
	if err != nil {
		r.t.Fatal(err)
	}
	return info.State
}

// A process dies after it has given an extraction its turn and before the task runs.
func TestReleasedAndAbandoned(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	r.backlog("", 2, 2)
	w.serve(t.Context())
	let, err := r.records.Release(t.Context(), "acme", 10)
	if err != nil || len(let) != 2 {
		t.Fatalf("released %d, %v, want 2", len(let), err)
	}
	// Of the second one there is not even a task.
	if err := asynq.NewInspectorFromRedisClient(r.rdb).DeleteTask(queue.SubmitQueue("acme"), queue.TaskID(let[1].ID, 1)); err != nil {
		t.Fatal(err)
	}
	for _, rec := range let {
		r.overdue(rec.ID)
	}
	a, _ := w.account("acme")
	if _, err := w.reconcile(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, rec := range let {
		if got := r.submitTask(rec.ID); got != asynq.TaskStatePending {
			t.Errorf("after a tick, the task of %s is %v, want it pending", rec.ID, got)
		}
		if _, err := w.submit(t.Context(), r.payload(rec.ID)); err != nil {
			t.Fatal(err)
		}
		if got := r.get(rec.ID); got.Status != extraction.StatusInProgress {
			t.Errorf("%s is %s", rec.ID, got.Status)
		}
	}
	if v.submits != 2 {
		t.Errorf("%d submissions, want 2", v.submits)
	}
}

// An operator runs the task of one that waits by hand: it goes back into the line,
// without a call, as one task, and has its turn in the end.
func TestRunBeforeItsTurn(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	r.backlog("", 0, 0) // No extraction has a turn.
	id := r.submit("x")
	for range 2 {
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.submitTask(id); v.submits != 0 || got != asynq.TaskStateScheduled {
		t.Errorf("%d submissions, and the task is %v, want none and far off", v.submits, got)
	}
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess {
		t.Errorf("it ended as %s", got.Status)
	}
}

// While submissions are stopped no extraction has a turn, and when the pause ends all go.
func TestNoTurnWhilePaused(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	if _, err := r.limiter.Pause(t.Context(), "acme", limiter.Operator, "", "by hand"); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 20 {
		ids = append(ids, r.submit("x"))
	}
	w := r.worker()
	w.serve(t.Context())
	a, _ := w.account("acme")
	if _, err := w.reconcile(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if got := r.submitTask(id); got != asynq.TaskStateScheduled {
			t.Fatalf("while the account is paused, a task is %v", got)
		}
	}
	if err := r.limiter.Resume(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	r.start()
	for _, id := range ids {
		r.final(id)
	}
	if v.submits != 20 {
		t.Errorf("%d submissions, want 20", v.submits)
	}
}

// A worker that comes to a backlog begins at once, without a tick, and the window moves
// on by what its steps give up.
func TestTurnsWithoutTicks(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	r.cfg.Accounts[0].MaxInFlight = 3
	r.backlog("", 12, 12)
	w := r.worker()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	r.await("all to be final", func() bool {
		l, err := r.records.Load(t.Context(), "acme")
		if err != nil || l.InFlight > 3 {
			t.Fatalf("%d in flight, %v", l.InFlight, err)
		}
		return l.Queued == 0 && l.InFlight == 0
	})
	if v.submits != 12 {
		t.Errorf("%d submissions, want 12", v.submits)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		account              Account
		concurrency, workers int
		want                 store.Window
	}{
		"no limits":   {Account{}, 32, 2, store.Window{Released: 128, InFlight: 1<<31 - 1}},
		"none noted":  {Account{MaxInFlight: 5}, 1, 0, store.Window{Released: 4, InFlight: 5}},
		"a rate":      {Account{Rate: 9.5, MaxInFlight: 500}, 32, 2, store.Window{Released: 10, InFlight: 500, Because: extraction.BecauseRate}},
		"a low rate":  {Account{Rate: 1.0 / 60}, 32, 1, store.Window{Released: 4, InFlight: 1<<31 - 1, Because: extraction.BecauseRate}},
		"few slots":   {Account{Rate: 10}, 8, 2, store.Window{Released: 4, InFlight: 1<<31 - 1, Because: extraction.BecauseRate}},
		"one slot":    {Account{Rate: 10}, 1, 1, store.Window{Released: 1, InFlight: 1<<31 - 1, Because: extraction.BecauseRate}},
		"a high rate": {Account{Rate: 1e300}, 32, 1, store.Window{Released: 8, InFlight: 1<<31 - 1, Because: extraction.BecauseRate}},
	} {
		if got := window(tt.account, tt.concurrency, tt.workers); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
