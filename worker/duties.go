package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/scheduler"
	"github.com/extractq/extractq/store"
)

// vendorSlots is how many of the slots for looking after accounts may read ready lists,
// and how many may probe, or vendors that are slow to answer would keep all the others
// waiting.
const vendorSlots = scheduler.Slots / 3

// duties are what the worker carries out, in process, for its own accounts and for what
// belongs to no worker. They are never tasks: a queue that is paused, or that other
// workers drain, would keep them from the account that needs them.
type duties struct {
	w *Worker
	// apart says that this process has no queue of its accounts: others work for them.
	apart bool
}

var _ scheduler.Duties = duties{}

// LookAfter carries out what Run does beside the queues, and serves none of them, until
// ctx ends.
func (w *Worker) LookAfter(ctx context.Context) {
	w.settleClocks(ctx, w.all())
	w.lookAfter(ctx, true)
}

// tick is how often the worker looks after its accounts.
func (w *Worker) tick() time.Duration {
	if w.cfg.Tick == 0 {
		return scheduler.Interval
	}
	return w.cfg.Tick
}

func (w *Worker) lookAfter(ctx context.Context, apart bool) {
	if w.cfg.Tick < 0 {
		return
	}
	var watching sync.WaitGroup
	every := w.tick()
	watching.Go(func() { w.watchRedis(ctx, every) })
	watching.Go(func() { w.watchServer(ctx, every) })
	defer watching.Wait()
	scheduler.New(duties{w, apart}, w.records.ClaimSlot, w.cfg.Tick, w.log).Run(ctx)
}

// watchRedis looks once a tick whether Redis is still the one that belongs to the document
// store, until ctx ends, and says when that changes. One that does not answer is asked
// again.
func (w *Worker) watchRedis(ctx context.Context, every time.Duration) {
	for said := false; wait.For(ctx, every) == nil; {
		asking, cancel := context.WithTimeout(ctx, saveTimeout)
		err := store.CheckPair(asking, w.records, w.cfg.Blobs)
		cancel()
		switch {
		case errors.Is(err, store.ErrRedisLost) && !said:
			said = true
			w.log.ErrorContext(ctx, "nothing is submitted any more: bring the data of Redis back, or start one process with --accept-empty-redis",
				slog.Any("error", err))
		case err == nil && said:
			said = false
			w.log.InfoContext(ctx, "Redis and the document store belong together again: submissions go on")
			w.serve(ctx) // An empty one knows of no worker.
		}
	}
}

// Accounts implements scheduler.Duties.
func (d duties) Accounts() []string {
	var names []string
	for name := range d.w.all() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Reconcile implements scheduler.Duties. An account that no worker has stands still,
// also where this process could look after more of it.
func (d duties) Reconcile(ctx context.Context, name string) {
	a, ok := d.w.account(name)
	if !ok {
		return // It has left since.
	}
	if d.apart {
		served, err := d.w.limiter.Served(ctx, name)
		if err != nil || !served {
			d.w.logReconciled(ctx, name, reconciled{}, err)
			return // ReconcileGone has it.
		}
	}
	got, err := d.w.reconcile(ctx, a)
	d.w.logReconciled(ctx, name, got, err)
}

// ReconcileGone implements scheduler.Duties.
func (d duties) ReconcileGone(ctx context.Context) {
	names, err := d.w.records.Accounts(ctx)
	if err != nil {
		d.w.logReconciled(ctx, "", reconciled{}, err)
		return
	}
	for _, name := range names {
		if _, own := d.w.account(name); own && !d.apart {
			continue
		}
		got, err := d.w.reconcileGone(ctx, name)
		d.w.logReconciled(ctx, name, got, err)
	}
}

// SweepEvery implements scheduler.Duties.
func (d duties) SweepEvery(ctx context.Context, name string) (time.Duration, error) {
	a, ok := d.w.account(name)
	if !ok || !a.Sweep {
		return 0, nil
	}
	l, err := d.w.polls.ReadyList(ctx, name)
	return l.Every, err
}

// Sweep implements scheduler.Duties.
func (d duties) Sweep(ctx context.Context, name string) {
	if a, ok := d.w.account(name); ok {
		d.w.readLists(ctx, a)
	}
}

// Expire implements scheduler.Duties.
func (d duties) Expire(ctx context.Context) { d.w.expireUnreferenced(ctx) }
