package queue

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

func info(t *testing.T, i *asynq.Inspector, queue string) *asynq.QueueInfo {
	t.Helper()
	got, err := i.GetQueueInfo(queue)
	if err != nil {
		t.Fatalf("GetQueueInfo(%s): %v", queue, err)
	}
	return got
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	q, i := New(rdb), asynq.NewInspectorFromRedisClient(rdb)
	r := record()
	now := time.Now().Add(-time.Hour) // Redis's clock is another one than ours.
	for range 3 {
		for step, s := range map[extraction.Step]store.Scheduled{
			extraction.StepSubmit: {Seq: 1, Due: now, Now: now},
			extraction.StepPoll:   {Seq: 2, Due: now.Add(time.Minute), Now: now},
		} {
			if err := q.Schedule(t.Context(), r, step, s); err != nil {
				t.Fatalf("Schedule: %v", err)
			}
		}
	}
	if got := info(t, i, "acme.submit"); got.Size != 1 || got.Pending != 1 {
		t.Errorf("submissions: %+v, want one pending", got)
	}
	if got := info(t, i, "acme.poll"); got.Size != 1 || got.Scheduled != 1 {
		t.Errorf("polls: %+v, want one scheduled", got)
	}
	task, err := i.GetTaskInfo("acme.poll", r.ID+":2")
	if err != nil {
		t.Fatal(err)
	}
	if wait := time.Until(task.NextProcessAt); wait < 50*time.Second || wait > time.Minute {
		t.Errorf("the poll is due in %v, want a minute", wait)
	}
}

func TestPresence(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	q, i := New(rdb), asynq.NewInspectorFromRedisClient(rdb)
	r := record()
	look := func(what string, step extraction.Step, seq int64, want Presence) {
		t.Helper()
		if got, err := q.Presence("acme", r.ID, step, seq); err != nil || got != want {
			t.Errorf("%s: Presence = %v, %v, want %v", what, got, err, want)
		}
	}
	look("a queue never used", extraction.StepPoll, 1, Absent)
	now := time.Now()
	if err := q.Schedule(t.Context(), r, extraction.StepPoll, store.Scheduled{Seq: 1, Due: now, Now: now}); err != nil {
		t.Fatal(err)
	}
	look("pending", extraction.StepPoll, 1, Waiting)
	look("another seq", extraction.StepPoll, 2, Absent)
	look("another step", extraction.StepSubmit, 1, Absent)
	if err := q.Schedule(t.Context(), r, extraction.StepPoll, store.Scheduled{Seq: 2, Due: now.Add(20 * time.Second), Now: now}); err != nil {
		t.Fatal(err)
	}
	look("scheduled", extraction.StepPoll, 2, Waiting)
	waiting := r
	waiting.Seq = 3
	if err := q.Park(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	look("far off", extraction.StepSubmit, 3, Asleep)
	if err := i.ArchiveTask("acme.poll", r.ID+":2"); err != nil {
		t.Fatal(err)
	}
	look("archived", extraction.StepPoll, 2, Absent)

	began, end := make(chan struct{}), make(chan struct{})
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Queues: map[string]int{"acme.poll": 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		close(began)
		<-end
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	<-began
	look("active", extraction.StepPoll, 1, Running)
	close(end)
	server.Shutdown()
	look("done", extraction.StepPoll, 1, Absent)
}

// Queues are brought to where they shall be, from wherever they are.
func TestSetPaused(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	q, i := New(rdb), asynq.NewInspectorFromRedisClient(rdb)
	set := func(submits, polls bool) {
		t.Helper()
		for range 2 {
			if err := q.SetPaused(t.Context(), "acme", submits, polls); err != nil {
				t.Errorf("SetPaused(%v, %v) = %v", submits, polls, err)
			}
		}
	}
	// Never used queues.
	set(false, false)
	set(true, true)
	if got, err := q.Paused(t.Context(), "acme"); err != nil || !got {
		t.Errorf("Paused of a queue never used = %v, %v", got, err)
	}
	r, now := record(), time.Now()
	for _, step := range []extraction.Step{extraction.StepSubmit, extraction.StepPoll} {
		if err := q.Schedule(t.Context(), r, step, store.Scheduled{Seq: 1, Due: now, Now: now}); err != nil {
			t.Fatal(err)
		}
	}
	for _, submits := range []bool{true, false} {
		for _, polls := range []bool{true, false} {
			set(submits, polls)
			if s, p := info(t, i, "acme.submit").Paused, info(t, i, "acme.poll").Paused; s != submits || p != polls {
				t.Errorf("paused %v and %v, want %v and %v", s, p, submits, polls)
			}
			if got, err := q.Paused(t.Context(), "acme"); err != nil || got != submits {
				t.Errorf("Paused = %v, %v, want %v", got, err, submits)
			}
		}
	}
}

// A pause is found by its state, whatever asynq says of a queue that is as asked: also
// where another process was quicker between the look and the change.
func TestSetPausedInARace(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var wg sync.WaitGroup
	for _, paused := range []bool{true, false} { // All ask for the same at about the same time.
		for range 8 {
			q := New(rdb)
			wg.Go(func() {
				for n := range 50 {
					if err := q.SetPaused(t.Context(), fmt.Sprintf("a%d", n), paused, paused); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	q := New(rdb)
	if err := q.SetPaused(t.Context(), "acme", true, false); err != nil {
		t.Fatal(err)
	}
	submits, err := q.Paused(t.Context(), "acme")
	if n := rdb.Exists(t.Context(), "asynq:{acme.poll}:paused").Val(); err != nil || !submits || n != 0 {
		t.Errorf("submits paused: %v, polls: %d, %v", submits, n, err)
	}
}
