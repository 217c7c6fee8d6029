package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

const (
	// reconcileLimit is how many extractions of an account one tick looks at.
	reconcileLimit = 500
	// waitingRecheck is when a step whose task waits is looked at again.
	waitingRecheck = 30 * time.Second
	// orphanAfter is how long a task may be active without a lease: it is
	// either about to take it, or asynq's leftover of a dead worker.
	orphanAfter = 5 * time.Second
)

// logReconciled says what one run for an account did. The next one tries again what
// failed.
func (w *Worker) logReconciled(ctx context.Context, account string, got reconciled, err error) {
	if got.Reissued+got.Erased > 0 {
		w.log.InfoContext(ctx, "reconciled", slog.String("account", account), slog.Int("due", got.Due),
			slog.Int("reissued", got.Reissued), slog.Int("waiting", got.Waiting),
			slog.Int("orphaned", got.Orphaned), slog.Int("erased", got.Erased))
	}
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "reconcile met trouble", slog.String("account", account), slog.Any("error", err))
	}
}

// reconciled counts what one run did.
type reconciled struct {
	Due, Reissued, Waiting, Orphaned, Erased int
}

// reconcile looks after one account: what no worker carries out is issued again, what
// has outlived its retention is erased, and a paused account is probed. Trouble with one
// extraction does not keep the others waiting.
func (w *Worker) reconcile(ctx context.Context, a *account) (reconciled, error) {
	var got reconciled
	if err := w.watchClock(ctx, a); err != nil {
		return got, err
	}
	due, now, err := w.records.Due(ctx, a.Name, reconcileLimit)
	if err != nil {
		return got, err
	}
	got.Due = len(due)
	var errs []error
	for _, g := range due {
		if err := w.mend(ctx, a, g, now, &got); err != nil {
			errs = append(errs, err)
		}
	}
	_, err = w.records.ForgetBatches(ctx, a.Name, reconcileLimit)
	// What was paused may have been resumed.
	errs = append(errs, err, w.tend(ctx, a, now), a.planner.DecideReadyList(ctx, forbiddenDelay, now), w.queue.Release(ctx, w.records, a.Name))
	return got, errors.Join(errs...)
}

// mend acts on one overdue extraction.
func (w *Worker) mend(ctx context.Context, a *account, g store.Glance, now time.Time, got *reconciled) error {
	f := store.Fence{Input: store.Input{ID: g.ID, Account: a.Name}, Seq: g.Seq, Token: store.NewToken()}
	if g.Gone || g.Status.Final() {
		return w.mendFinal(ctx, f, g, now, got)
	}
	return w.mendStep(ctx, f, g, now, got)
}

// mendStep acts on an overdue submission or poll.
func (w *Worker) mendStep(ctx context.Context, f store.Fence, g store.Glance, now time.Time, got *reconciled) error {
	account := f.Input.Account
	if g.Held {
		if now.Before(g.Lease) {
			return nil // Renewed since the index was read.
		}
		got.Reissued++
		return w.reissue(ctx, f)
	}
	presence, err := w.queue.Presence(account, g.ID, g.Step, g.Seq)
	if err != nil {
		return err
	}
	asleep := presence == queue.Asleep
	if asleep && (g.Step == extraction.StepSubmit || g.Hinted || !g.Due.After(now)) || g.Hinted && presence == queue.Waiting {
		// The process that gave it its turn died before its task ran, its task waits for a
		// time that was planned before the hint, or the clocks of two machines differ.
		if err := w.queue.Run(ctx, account, g.ID, g.Step, g.Seq); err != nil {
			return err
		}
	}
	if lost, err := w.lost(ctx, f, g, presence, orphanAfter, got); !lost {
		return err
	}
	return w.reissue(ctx, f)
}

// lost reports whether the overdue task of f will not run; otherwise it is looked at
// again later. patience is how long it may be active.
func (w *Worker) lost(
	ctx context.Context, f store.Fence, g store.Glance, presence queue.Presence, patience time.Duration, got *reconciled,
) (bool, error) {
	switch {
	case presence == queue.Waiting, presence == queue.Asleep:
		got.Waiting++
		return false, nothingToDo(w.records.Touch(ctx, f, waitingRecheck, false))
	case presence == queue.Running && g.Orphaned.IsZero():
		got.Orphaned++
		return false, nothingToDo(w.records.Touch(ctx, f, patience, true))
	}
	got.Reissued++
	return true, nil
}

// mendFinal looks after what has ended: what outlived its retention is erased, an overdue
// delivery is made, and a result that is to be fetched again is.
// Where the document store fails it comes later: what cannot be erased must not keep the
// others from being looked at.
func (w *Worker) mendFinal(ctx context.Context, f store.Fence, g store.Glance, now time.Time, got *reconciled) error {
	err := w.mendEnded(ctx, f, g, now, got)
	trouble, ok := errors.AsType[storeError](err)
	if !ok {
		return err
	}
	wait, _, err := w.storeTrouble(ctx, f.Input.Account, f.Input.ID, trouble)
	if err != nil {
		return err
	}
	return nothingToDo(w.records.Touch(ctx, f, max(wait, waitingRecheck), false))
}

func (w *Worker) mendEnded(ctx context.Context, f store.Fence, g store.Glance, now time.Time, got *reconciled) error {
	r, err := w.records.Get(ctx, f.Input.Account, f.Input.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	left := time.Duration(0)
	if err == nil {
		f.Input = r.Input
		if left, err = w.expireDocument(ctx, r, now); err != nil {
			return err
		}
	}
	switch {
	case left <= 0:
		if err := w.expire(ctx, f.Input); err != nil {
			return err
		}
		got.Erased++
		return nil
	case g.Step == extraction.StepPoll:
		return w.mendStep(ctx, f, g, now, got)
	case r.Step == extraction.StepDeliver && !r.Due.After(now):
		return w.mendDelivery(ctx, g, r, got)
	case r.Step == extraction.StepDeliver:
		left = min(left, r.Due.Sub(now)+orphanAfter)
	}
	return nothingToDo(w.records.Touch(ctx, f, left, false))
}

// reissue moves the fence and makes the task of the step anew.
func (w *Worker) reissue(ctx context.Context, f store.Fence) error {
	r, at, err := w.records.Reissue(ctx, f)
	if err != nil {
		if errors.Is(err, store.ErrBusy) {
			return nil
		}
		return nothingToDo(err)
	}
	return w.queue.Schedule(ctx, r, r.Step, at)
}
