package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// Hint notes in the record that an extraction is said to be finished, and then
// makes its task run. If the process dies between the two, reconcile does the rest.
func (q *Queue) Hint(ctx context.Context, records *store.Records, account, id, vendorID string, from store.Source) error {
	got, err := records.Hint(ctx, account, id, vendorID, from)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrFinal), errors.Is(err, store.ErrStale):
		return nil
	case err != nil:
		return err
	case got.Step == "":
		return nil
	}
	return q.Run(ctx, account, id, got.Step, got.Seq)
}

// Run makes the task of a step run now. One that is about to run, runs, or is not
// there is left as it is.
func (q *Queue) Run(ctx context.Context, account, id string, step extraction.Step, seq int64) error {
	_, err := q.run(ctx, stepQueue(account, step), TaskID(id, seq))
	return err
}

// run makes a task run now, if it is there.
func (q *Queue) run(ctx context.Context, queue, task string) (found bool, err error) {
	err = q.inspector.RunTask(queue, task)
	if err == nil {
		q.notify(ctx, queue)
		return true, nil
	}
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return false, nil
	}
	// asynq has no typed error for a task that runs or is about to.
	info, lookErr := q.inspector.GetTaskInfo(queue, task)
	if errors.Is(lookErr, asynq.ErrTaskNotFound) {
		return false, nil
	}
	if lookErr == nil && (info.State == asynq.TaskStateActive || info.State == asynq.TaskStatePending) {
		return true, nil
	}
	return false, fmt.Errorf("run task %s: %w", task, err)
}
