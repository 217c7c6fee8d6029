package intake

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// window says how much may be under way, as workers do.
func (r *rig) window(t *testing.T, released int) {
	t.Helper()
	if err := r.records.SetWindow(t.Context(), "acme", store.Window{Released: released, InFlight: 100}); err != nil {
		t.Fatal(err)
	}
}

// state is where the task of an extraction is; 0 where there is none.
func (r *rig) state(t *testing.T, rec store.Record) asynq.TaskState {
	t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(r.rdb).GetTaskInfo(queue.SubmitQueue("acme"), queue.TaskID(rec.ID, rec.Seq))
	if errors.Is(err, asynq.ErrTaskNotFound) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.State
}

func (r *rig) submitOne(t *testing.T) store.Record {
	t.Helper()
	e, err := r.Submit(t.Context(), submission("x"))
	if err != nil {
		t.Fatal(err)
	}
	return r.record(t, e.ID)
}

// Each waiting extraction is one task to be seen, and runs when it is its turn.
func TestWaitAndRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.window(t, 1)
	first, second, third := r.submitOne(t), r.submitOne(t), r.submitOne(t)
	want := func(what string, states ...asynq.TaskState) {
		t.Helper()
		got := []asynq.TaskState{r.state(t, first), r.state(t, second), r.state(t, third)}
		if !slices.Equal(got, states) {
			t.Errorf("%s: the tasks are %v, want %v", what, got, states)
		}
	}
	const pending, scheduled = asynq.TaskStatePending, asynq.TaskStateScheduled
	want("a window of one", pending, scheduled, scheduled)
	if err := r.queue.Release(t.Context(), r.records, "acme"); err != nil {
		t.Fatal(err)
	}
	want("no room", pending, scheduled, scheduled)
	r.window(t, 3)
	if err := r.queue.Release(t.Context(), r.records, "acme"); err != nil {
		t.Fatal(err)
	}
	want("room for all", pending, pending, pending)
}

// The worker that released an extraction dies before its task runs, or its producer dies
// before there is a task, or comes with it too late: Pull sets it right, however often.
func TestPull(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before, after func(*rig, store.Record) error
	}{
		"far off":   {},
		"absent":    {before: func(r *rig, rec store.Record) error { return r.queue.Remove("acme", rec.ID, rec.Seq) }},
		"twice":     {before: func(r *rig, rec store.Record) error { return r.queue.Pull(t.Context(), rec) }},
		"too late":  {after: func(r *rig, rec store.Record) error { return r.queue.Park(t.Context(), rec) }},
		"scheduled": {after: func(r *rig, rec store.Record) error { return r.queue.Pull(t.Context(), rec) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.window(t, 0)
			rec := r.submitOne(t)
			if got := r.state(t, rec); got != asynq.TaskStateScheduled {
				t.Fatalf("the task is %v, want it far off", got)
			}
			r.window(t, 1)
			if let, err := r.records.Release(t.Context(), "acme", 10); err != nil || len(let) != 1 || let[0].ID != rec.ID {
				t.Fatalf("released %v, %v", let, err)
			}
			for _, step := range []func(*rig, store.Record) error{
				tt.before, func(r *rig, rec store.Record) error { return r.queue.Pull(t.Context(), rec) }, tt.after,
			} {
				if step == nil {
					continue
				}
				if err := step(r, rec); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.state(t, rec); got != asynq.TaskStatePending {
				t.Errorf("the task is %v, want it pending", got)
			}
			if got := r.queued(t, queue.SubmitQueue("acme")); len(got) != 1 {
				t.Errorf("the tasks are %v, want one", got)
			}
		})
	}
}

// A task that runs, or that cannot be looked at, is not made twice.
func TestPullRunning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rec := r.submitOne(t)
	began, end := make(chan struct{}), make(chan struct{})
	server := asynq.NewServerFromRedisClient(r.rdb, asynq.Config{
		Queues: map[string]int{queue.SubmitQueue("acme"): 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	if err := server.Start(asynq.HandlerFunc(running(began, end))); err != nil {
		t.Fatal(err)
	}
	<-began
	if err := r.queue.Pull(t.Context(), rec); err != nil {
		t.Errorf("Pull of a running task = %v", err)
	}
	close(end)
	server.Shutdown()
	r.rdb.Set(t.Context(), "asynq:{acme.submit}:pending", "x", 0)
	other := rec
	other.Seq = 7
	if err := r.queue.Pull(t.Context(), other); err == nil {
		t.Error("Pull into a broken queue worked")
	}
}

// A canceled or deleted one leaves neither a task nor a place.
func TestCancelWaiting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.window(t, 0)
	canceled, deleted := r.submitOne(t), r.submitOne(t)
	if _, err := r.Cancel(t.Context(), "acme", canceled.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delete(t.Context(), "acme", deleted.ID); err != nil {
		t.Fatal(err)
	}
	if got := r.queued(t, queue.SubmitQueue("acme")); len(got) != 0 {
		t.Errorf("left the tasks %v", got)
	}
	r.window(t, 10)
	if let, err := r.records.Release(t.Context(), "acme", 10); err != nil || len(let) != 0 {
		t.Errorf("released %v, %v", let, err)
	}
	if rec := r.record(t, canceled.ID); rec.Status != extraction.StatusCanceled {
		t.Errorf("the canceled one is %s", rec.Status)
	}
}

// Another backlog bound than the window's: what waits counts once.
func TestBacklogCountsWaiting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.window(t, 1)
	for i := range 4 {
		s := submission("x")
		s.MaxBacklog = 3
		if _, err := r.Submit(t.Context(), s); (err == nil) != (i < 3) {
			t.Errorf("submission %d of 3 allowed: %v", i+1, err)
		}
	}
}

// running is a handler that says when it has begun, and ends when it is told to.
func running(began, end chan struct{}) func(context.Context, *asynq.Task) error {
	return func(context.Context, *asynq.Task) error {
		close(began)
		<-end
		return nil
	}
}
