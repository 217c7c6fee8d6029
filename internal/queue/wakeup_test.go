package queue

import (
	"context"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

// serveQueues runs an asynq server with a client of the wakeup until the test ends, and
// returns what it takes. The wakeup listens when it returns.
func serveQueues(t *testing.T, rdb *redis.Client, w *Wakeup) <-chan string {
	t.Helper()
	client, unsubscribe := w.Client("acme.submit", "acme.poll", "acme.submit")
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: 4, Queues: map[string]int{"acme.poll": 2, "acme.submit": 1}, StrictPriority: true,
		TaskCheckInterval: IdlePoll, DelayedTaskCheckInterval: IdlePoll, LogLevel: asynq.FatalLevel,
	})
	taken := make(chan string, 10)
	if err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		p, err := Decode(task)
		taken <- p.ID
		return err
	})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	t.Cleanup(unsubscribe)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	for deadline := time.After(30 * time.Second); rdb.PubSubNumSub(ctx, wakeupChannel).Val()[wakeupChannel] == 0; {
		select {
		case <-deadline:
			t.Fatal("no server listens")
		case <-time.After(5 * time.Millisecond):
		}
	}
	return taken
}

// TestWakeup: a server that would look again in half an hour takes what is due now
// at once, from each of its queues, newly made or made to run, and what becomes due.
func TestWakeup(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	w := NewWakeup(rdb)
	w.timeout = 30 * time.Minute
	q := New(rdb)
	taken := serveQueues(t, rdb, w)
	now := time.Now()
	want := func(id string) {
		t.Helper()
		select {
		case got := <-taken:
			if got != id {
				t.Errorf("taken is %s, want %s", got, id)
			}
		case <-time.After(60 * time.Second):
			t.Fatalf("%s was not taken", id)
		}
	}
	schedule := func(id string, step extraction.Step, due time.Time) {
		t.Helper()
		r := store.Record{Input: store.Input{ID: id, Account: "acme"}}
		if err := q.Schedule(t.Context(), r, step, store.Scheduled{Seq: 1, Now: now, Due: due}); err != nil {
			t.Fatal(err)
		}
	}
	schedule("a", extraction.StepSubmit, now)
	want("a")
	schedule("b", extraction.StepPoll, now)
	want("b")
	schedule("c", extraction.StepPoll, now.Add(time.Hour))
	if err := q.Run(t.Context(), "acme", "c", extraction.StepPoll, 1); err != nil {
		t.Fatal(err)
	}
	want("c")
	schedule("d", extraction.StepSubmit, now.Add(2*time.Second))
	want("d")
	schedule("e", extraction.StepPoll, time.Now().Add(2*time.Second))
	want("e")
}

// evals is how many scripts Redis has run.
func evals(t testing.TB, rdb *redis.Client) int {
	t.Helper()
	text, err := rdb.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`cmdstat_evalsha:calls=(\d+)`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// TestIdleServerCostsNothing: a server that waits looks ten times a second, and finds a
// task without a message.
func TestIdleServerCostsNothing(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	taken := serveQueues(t, rdb, NewWakeup(rdb))
	before, began := evals(t, rdb), time.Now()
	const looks = 80
	for evals(t, rdb) < before+looks {
		<-time.After(20 * time.Millisecond)
	}
	// Ten looks a second at each of two queues, and what else asynq does; without
	// waiting it would be some two hundred a second.
	if took := time.Since(began); took < 1500*time.Millisecond {
		t.Errorf("an idle server runs %d scripts in %v", looks, took)
	}
	task, opts := newStep(extraction.StepPoll, Payload{ID: "silent", Account: "acme", Seq: 1}, time.Time{})
	if _, err := asynq.NewClientFromRedisClient(rdb).Enqueue(task, opts...); err != nil {
		t.Fatal(err)
	}
	select {
	case <-taken:
	case <-time.After(60 * time.Second):
		t.Error("a task without a message was not taken")
	}
}

// TestTroubleIsNotRepeatedAtOnce: a server whose scripts fail, because Redis has no memory
// left or cannot be written to, does not try again without a pause.
func TestTroubleIsNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	client := asynq.NewClientFromRedisClient(rdb)
	for id, due := range map[string]time.Time{"now": {}, "later": time.Now().Add(time.Second)} {
		task, opts := newStep(extraction.StepPoll, Payload{ID: id, Account: "acme", Seq: 1}, due)
		if _, err := client.Enqueue(task, opts...); err != nil {
			t.Fatal(err)
		}
	}
	if err := rdb.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	taken := serveQueues(t, rdb, NewWakeup(rdb))
	<-time.After(1200 * time.Millisecond)
	before := evals(t, rdb)
	<-time.After(time.Second)
	if n := evals(t, rdb) - before; n > 100 {
		t.Errorf("%d scripts in a second", n)
	}
	if err := rdb.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-taken:
		case <-time.After(30 * time.Second):
			t.Fatal("not taken afterwards")
		}
	}
}
