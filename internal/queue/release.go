package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// farOff is how far off the task of an extraction is that waits for its turn: it is
// there to be seen, and run when the turn has come. One that runs before goes back into
// the line, and one that a cancellation has missed ends: it does not stay forever.
const farOff = 7 * 24 * time.Hour

// asleepAfter is how far off a task is whose step is due and that has to be run.
const asleepAfter = time.Minute

// releaseLimit is how many are given their turn in one call of Redis.
const releaseLimit = 100

// Park enqueues the task of an extraction that waits for its turn.
func (q *Queue) Park(ctx context.Context, r store.Record) error {
	task, opts := newStep(extraction.StepSubmit, For(r, r.Seq), time.Now().Add(farOff))
	return q.enqueue(ctx, task, opts)
}

// Release gives the extractions of an account their turn for whom there is room, and
// lets their tasks run. Where that fails, reconcile does it.
func (q *Queue) Release(ctx context.Context, records *store.Records, account string) error {
	for {
		let, err := records.Release(ctx, account, releaseLimit)
		if err != nil {
			return err
		}
		var errs []error
		for _, r := range let {
			if !r.Status.Final() { // Canceled since.
				errs = append(errs, q.Pull(ctx, r))
			}
		}
		if err := errors.Join(errs...); err != nil || len(let) < releaseLimit {
			return err
		}
	}
}

// Pull lets the task of a record's step run now. One that is not there is made: who
// gave the record its step may not have come so far.
func (q *Queue) Pull(ctx context.Context, r store.Record) error {
	for {
		found, err := q.run(ctx, stepQueue(r.Account, r.Step), TaskID(r.ID, r.Seq))
		if found || err != nil {
			return err
		}
		task, opts := newStep(r.Step, For(r, r.Seq), time.Time{})
		_, err = q.client.EnqueueContext(ctx, task, opts...)
		switch {
		case errors.Is(err, asynq.ErrTaskIDConflict): // It has come meanwhile, and may sleep.
		case err != nil:
			return fmt.Errorf("enqueue %s: %w", task.Type(), err)
		default:
			q.notify(ctx, stepQueue(r.Account, r.Step))
			return nil
		}
	}
}
