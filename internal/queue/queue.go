package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// Queue enqueues steps and looks at them. It is safe for concurrent use.
type Queue struct {
	rdb       redis.UniversalClient
	client    *asynq.Client
	inspector *asynq.Inspector
	notices   notices
}

// New returns the queue in rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient) *Queue {
	return &Queue{
		rdb:       rdb,
		client:    asynq.NewClientFromRedisClient(rdb),
		inspector: asynq.NewInspectorFromRedisClient(rdb),
	}
}

// Schedule enqueues the task of a step that the record has just been given. A
// task that exists already is success, because only the caller that moved the fence to
// s.Seq makes a task with that id.
func (q *Queue) Schedule(ctx context.Context, r store.Record, step extraction.Step, s store.Scheduled) error {
	task, opts := newStep(step, For(r, s.Seq), localTime(s))
	return q.enqueue(ctx, task, opts)
}

// Deliver enqueues the delivery that the record has just been given: s.Seq is its
// number.
func (q *Queue) Deliver(ctx context.Context, r store.Record, s store.Scheduled) error {
	task, opts := newDelivery(For(r, s.Seq), localTime(s))
	return q.enqueue(ctx, task, opts)
}

// localTime is when something is due by the clock that decides when asynq runs a
// task; Redis's says when it is due. Zero means now.
func localTime(s store.Scheduled) time.Time {
	if !s.Due.After(s.Now) {
		return time.Time{}
	}
	return time.Now().Add(s.Due.Sub(s.Now))
}

func (q *Queue) enqueue(ctx context.Context, task *asynq.Task, opts []asynq.Option) error {
	info, err := q.client.EnqueueContext(ctx, task, opts...)
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("enqueue %s: %w", task.Type(), err)
	}
	if err == nil && info.State == asynq.TaskStatePending {
		q.notify(ctx, info.Queue)
	}
	return nil
}

// Presence says where the task of a step is.
type Presence int

// The places of a task.
const (
	// Absent: there is no such task, or it has ended and will not run again.
	Absent Presence = iota
	// Waiting: it will run.
	Waiting
	// Asleep: its time is long after it could run.
	Asleep
	// Running: asynq believes that a worker has it.
	Running
)

// Presence looks for the task of a step.
func (q *Queue) Presence(account, id string, step extraction.Step, seq int64) (Presence, error) {
	return q.presence(stepQueue(account, step), TaskID(id, seq))
}

// DeliveryPresence looks for the task of a delivery.
func (q *Queue) DeliveryPresence(id string, n int64) (Presence, error) {
	return q.presence(DeliverQueue, deliveryID(id, n))
}

// Delivers reports whether some process makes deliveries.
func (q *Queue) Delivers() (bool, error) {
	servers, err := q.inspector.Servers()
	if err != nil {
		return false, fmt.Errorf("list servers: %w", err)
	}
	return slices.ContainsFunc(servers, func(s *asynq.ServerInfo) bool { return s.Queues[DeliverQueue] > 0 }), nil
}

// stepQueue is the queue of an account's tasks of one kind.
func stepQueue(account string, step extraction.Step) string {
	if step == extraction.StepPoll {
		return PollQueue(account)
	}
	return SubmitQueue(account)
}

// Remove takes the tasks of one seq of an extraction out of its account's queues.
// One that runs stays: it finds its step stale.
func (q *Queue) Remove(account, id string, seq int64) error {
	for _, step := range []extraction.Step{extraction.StepSubmit, extraction.StepPoll} {
		if err := q.delete(stepQueue(account, step), TaskID(id, seq)); err != nil {
			return err
		}
	}
	return nil
}

// RemoveDelivery takes the task of a delivery out of its queue, unless it runs.
func (q *Queue) RemoveDelivery(id string, n int64) error {
	return q.delete(DeliverQueue, deliveryID(id, n))
}

func (q *Queue) delete(queue, id string) error {
	var err error
	for range 5 { // It may end, and stay as completed, between the two looks.
		err = q.inspector.DeleteTask(queue, id)
		if err == nil || errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
			return nil
		}
		// asynq has no typed error for a task that runs.
		if p, lookErr := q.presence(queue, id); lookErr == nil && p == Running {
			return nil
		}
	}
	return fmt.Errorf("remove task %s: %w", id, err)
}

func (q *Queue) presence(queue, id string) (Presence, error) {
	info, err := q.inspector.GetTaskInfo(queue, id)
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return Absent, nil
	}
	if err != nil {
		return Absent, fmt.Errorf("look for task: %w", err)
	}
	switch info.State {
	case asynq.TaskStateScheduled:
		if time.Until(info.NextProcessAt) > asleepAfter {
			return Asleep, nil
		}
		return Waiting, nil
	case asynq.TaskStatePending, asynq.TaskStateRetry, asynq.TaskStateAggregating:
		return Waiting, nil
	case asynq.TaskStateActive:
		return Running, nil
	case asynq.TaskStateArchived, asynq.TaskStateCompleted:
		return Absent, nil
	}
	return Absent, nil
}

// SetPaused pauses or unpauses an account's queues so that they are as asked.
func (q *Queue) SetPaused(ctx context.Context, account string, submits, polls bool) error {
	return errors.Join(q.setPaused(ctx, SubmitQueue(account), submits), q.setPaused(ctx, PollQueue(account), polls))
}

// setPaused asks for the state before a change and after one that failed: asynq has no
// typed error for a queue that is as asked already, and another process may have made it
// so meanwhile.
func (q *Queue) setPaused(ctx context.Context, queue string, paused bool) error {
	is, err := q.queuePaused(ctx, queue)
	if err != nil || is == paused {
		return err
	}
	change := q.inspector.UnpauseQueue
	if paused {
		change = q.inspector.PauseQueue
	}
	if err := change(queue); err != nil {
		if is, lookErr := q.queuePaused(ctx, queue); lookErr == nil && is == paused {
			return nil
		}
		return fmt.Errorf("set pause of %s: %w", queue, err)
	}
	return nil
}

// Paused reports whether an account's submissions are shown as paused.
func (q *Queue) Paused(ctx context.Context, account string) (bool, error) {
	return q.queuePaused(ctx, SubmitQueue(account))
}

// queuePaused asks for asynq's own mark. The inspector would count all tasks of the
// queue, and knows none of a queue that was never used.
func (q *Queue) queuePaused(ctx context.Context, queue string) (bool, error) {
	n, err := q.rdb.Exists(ctx, "asynq:{"+queue+"}:paused").Result()
	if err != nil {
		return false, fmt.Errorf("look for pause of %s: %w", queue, err)
	}
	return n > 0, nil
}
