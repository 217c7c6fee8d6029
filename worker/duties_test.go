package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// With no scheduler anywhere, a paused account comes back and its documents end: a worker
// looks after its own accounts, also while the account's queues are paused.
func TestPausedAccountComesBackByItself(t *testing.T) {
	t.Parallel()
	p := newProber()
	close(p.end)
	p.began = make(chan struct{}, 100)
	r := newRig(t, p)
	r.cfg.Tick = 20 * time.Millisecond
	r.paused(limiter.Quota)
	if err := queue.New(r.rdb).SetPaused(t.Context(), "acme", true, true); err != nil {
		t.Fatal(err)
	}
	r.run(r.worker())
	r.await("the account is active and its queues run", func() bool {
		s, err := r.limiter.State(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		paused, err := queue.New(r.rdb).Paused(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return s.Reason == limiter.Active && !paused
	})
	if p.probes.Load() == 0 {
		t.Error("it is active again and was not probed")
	}
}

// A worker that has other accounts looks after one that no worker has: what has outlived
// its retention goes with its documents, and so does what no record names.
func TestDocumentsOfALeftAccountGo(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	if err := store.Pair(t.Context(), r.records, r.blobs, store.Terms{}); err != nil {
		t.Fatal(err)
	}
	w := r.worker()
	id := r.submit("finished")
	for _, step := range []func(context.Context, queue.Payload) (*queue.Outcome, error){w.submit, w.poll} {
		if _, err := step(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
	}
	orphan := store.NewID()
	if _, err := r.blobs.PutDocument(t.Context(), orphan, strings.NewReader("x"), 0); err != nil {
		t.Fatal(err)
	}
	r.age(orphan)
	r.hset(id, "exp", ago(time.Minute))
	r.overdue(id)

	other := r.cfg.Accounts[0]
	other.Name = "other"
	r.cfg.Accounts, r.cfg.Tick = []Account{other}, 20*time.Millisecond
	r.run(r.worker())
	for what, gone := range map[string]string{"the expired document": id, "the unreferenced document": orphan} {
		r.await(what, func() bool {
			has, err := r.blobs.HasDocument(t.Context(), gone)
			if err != nil {
				t.Fatal(err)
			}
			return !has
		})
	}
	r.await("the record", func() bool {
		_, err := r.records.Get(t.Context(), "acme", id)
		return errors.Is(err, store.ErrNotFound)
	})
}

// A worker for one account on a shared Redis takes nothing from another's: no slot of an
// account that it does not have is claimed by it.
func TestAWorkerSpendsNoTicksOfOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	r.submit("x")
	if _, err := r.limiter.Serve(t.Context(), "acme", "another worker"); err != nil {
		t.Fatal(err)
	}
	other := r.cfg.Accounts[0]
	other.Name = "other"
	r.cfg.Accounts, r.cfg.Tick = []Account{other}, 20*time.Millisecond
	r.run(r.worker())
	r.await("the worker's own account is looked after", func() bool {
		return r.rdb.Exists(t.Context(), "extractq:{other}:ticks").Val() == 1
	})
	r.await("the duties of all are", func() bool {
		return r.rdb.HExists(t.Context(), "extractq:ticks", "gone").Val()
	})
	if n := r.rdb.Exists(t.Context(), "extractq:{acme}:ticks").Val(); n != 0 {
		t.Error("a worker that does not have the account claimed a slot of it")
	}
	if names, err := queue.New(r.rdb).Names(); err != nil || len(names) != 1 || names[0] != queue.SubmitQueue("acme") {
		t.Errorf("the queues are %q, %v: looking after accounts makes no tasks", names, err)
	}
}

// A process that only looks after accounts does so for those that workers serve, and
// leaves the others standing.
func TestLookAfterApart(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	r.cfg.Tick = 20 * time.Millisecond
	w := r.worker()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.LookAfter(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	r.submit("x")
	paused := func() bool { return r.queuePaused("acme") }
	r.await("an account without a worker stands", paused)
	if _, err := r.limiter.Serve(t.Context(), "acme", "a worker"); err != nil {
		t.Fatal(err)
	}
	r.await("it goes on when it has one", func() bool { return !paused() })
	if served, err := r.limiter.Served(t.Context(), "other"); err != nil || served {
		t.Errorf("other is served: %v, %v", served, err)
	}
}
