package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
)

// A result that comes for what was deleted meanwhile leaves not even its folder.
func TestDeletedDuringPoll(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	id := r.polling(w, "x", 0)
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		if _, err := r.client.Delete(t.Context(), "acme", id); err != nil {
			t.Error(err)
		}
		return done(), nil
	}
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, id)); !os.IsNotExist(err) {
		t.Errorf("the document store has something of it: %v", err)
	}
}

// afterFinish calls then once, right after the script that ends an extraction.
type afterFinish struct {
	once sync.Once
	then func()
}

func (a *afterFinish) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a *afterFinish) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a *afterFinish) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if slices.Contains(cmd.Args(), any(string(extraction.StatusSuccess))) && err == nil {
			a.once.Do(a.then)
		}
		return err
	}
}

// What is deleted at the moment it ends leaves no completed task.
func TestDeletedAtItsEnd(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := newRigOn(t, server.Client(), newVendor())
	id := ""
	deleted := make(chan struct{})
	rdb := redis.NewClient(server.Options())
	defer func() { _ = rdb.Close() }()
	rdb.AddHook(&afterFinish{then: func() {
		defer close(deleted)
		if _, err := r.client.Delete(context.Background(), "acme", id); err != nil {
			t.Error(err)
		}
	}})
	r.cfg.Redis = rdb
	id = r.submit("x")
	stop := r.start()
	<-deleted
	stop() // Waits for the task to end.
	for _, queue := range []string{"acme.submit", "acme.poll"} {
		left, err := asynq.NewInspectorFromRedisClient(r.rdb).ListCompletedTasks(queue)
		if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) || len(left) > 0 {
			t.Errorf("%s has %d completed tasks, %v", queue, len(left), err)
		}
	}
	if keys := r.rdb.Keys(t.Context(), "*"+id+"*").Val(); len(keys) > 0 {
		t.Errorf("left are %v", keys)
	}
}
