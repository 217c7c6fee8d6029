package worker

import (
	"context"
	"errors"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// An account that has extractions and is in no worker's configuration any more.
// Its queues are paused, so that the web UI shows it, until it is back; what is
// unfinished stays as it is, and what is final expires as everything does.

// goneRecheck is when an unfinished extraction of such an account is looked at
// again. Those that are due are taken in the order of their time, so that however
// many wait, what has outlived its retention has its turn.
const goneRecheck = time.Minute

// reconcileGone is one run for an account that this process does not have, or does not
// work for.
func (w *Worker) reconcileGone(ctx context.Context, name string) (reconciled, error) {
	var got reconciled
	if !extraction.ValidAccount(name) {
		return got, nil
	}
	served, err := w.limiter.Served(ctx, name)
	if err != nil || served {
		return got, err // Another worker has it, and looks after it.
	}
	if err := w.queue.SetPaused(ctx, name, true, true); err != nil {
		return got, err
	}
	if err := w.records.EndVisit(ctx, name); err != nil { // Of a visitor that died.
		return got, err
	}
	due, now, err := w.records.Due(ctx, name, reconcileLimit)
	if err != nil {
		return got, err
	}
	got.Due = len(due)
	var errs []error
	for _, g := range due {
		f := store.Fence{Input: store.Input{ID: g.ID, Account: name}, Seq: g.Seq, Token: store.NewToken()}
		switch {
		case g.Gone, g.Status.Final():
			errs = append(errs, w.mendFinal(ctx, f, g, now, &got))
		case g.Held && now.Before(g.Lease): // The last step before the account went.
		case g.Held:
			// Its worker died. The new task waits in the paused queue.
			got.Reissued++
			errs = append(errs, w.reissue(ctx, f))
		default:
			got.Waiting++
			errs = append(errs, nothingToDo(w.records.Touch(ctx, f, goneRecheck, false)))
		}
	}
	_, err = w.records.ForgetBatches(ctx, name, reconcileLimit)
	return got, errors.Join(append(errs, err)...)
}
