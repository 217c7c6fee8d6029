package queue

import (
	"context"
	"errors"
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

// A queue that was found empty is not asked again before each task of the next one; a
// message, what has become due and the end of a few milliseconds make it be asked.
func TestEmptyQueueIsLeftAlone(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	w := NewWakeup(rdb)
	client, unsubscribe := w.Client("acme.submit", "acme.poll", "acme.submit")
	t.Cleanup(unsubscribe)
	c, ok := client.(*blockingClient)
	if !ok {
		t.Fatalf("the client is %T", client)
	}
	nothing := redis.NewScript("return nil")
	if err := nothing.Load(t.Context(), rdb).Err(); err != nil {
		t.Fatal(err)
	}
	poll := func() (asked bool) {
		t.Helper()
		before := evals(t, rdb)
		err := client.EvalSha(t.Context(), nothing.Hash(), []string{"asynq:{acme.poll}:pending", "asynq:{acme.poll}:paused"}).Err()
		if !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
		return evals(t, rdb) > before
	}
	long := func() { c.empty.Store(time.Now().Add(time.Hour).UnixNano()) } // A slow machine has as much time.
	if !poll() || c.empty.Load() == 0 {
		t.Error("it was not asked at first, or that is forgotten")
	}
	long()
	if poll() {
		t.Error("it is asked again at once")
	}
	w.wake("acme.poll")
	if !poll() {
		t.Error("it is not asked after a message")
	}
	long()
	if err := client.EvalSha(t.Context(), nothing.Hash(), []string{"asynq:{acme.poll}:scheduled", "asynq:{acme.poll}:pending"}).Err(); !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	if !poll() {
		t.Error("it is not asked after a look for what has become due")
	}
	c.empty.Store(time.Now().Add(-time.Millisecond).UnixNano())
	if !poll() {
		t.Error("it is never asked again")
	}
}

// What follows a message at once is announced by one more, when a moment is over.
func TestLastMessageIsSent(t *testing.T) {
	t.Parallel()
	var n notices
	later := make(chan time.Time, 1)
	asked := time.Now()
	n.byQueue = map[string]*notice{"acme.poll": {sent: asked.Add(time.Minute)}} // A slow machine has as long.
	for range 3 {
		if n.due("acme.poll", func() { later <- time.Now() }) {
			t.Fatal("a message is sent at once")
		}
	}
	n.byQueue["acme.poll"] = &notice{sent: time.Now()}
	if !n.due("other.poll", nil) {
		t.Error("another queue's message waits")
	}
	for !n.due("acme.poll", func() { later <- time.Now() }) {
		select {
		case <-later:
			return
		case <-time.After(5 * time.Second):
			t.Fatal("the last message is never sent")
		}
	}
}

// A process that makes many tasks due at once sends few messages.
func TestMessagesAreFew(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	q := New(rdb)
	messages := rdb.Subscribe(t.Context(), wakeupChannel)
	t.Cleanup(func() { _ = messages.Close() })
	if _, err := messages.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	const tasks = 2000
	for range tasks {
		q.notify(t.Context(), "acme.poll")
	}
	sent := time.Now()
	q.notify(t.Context(), "other.poll") // Of another queue, it comes at once.
	most := int(sent.Sub(began)/notifyGap) + 2
	n, other, after := 0, 0, 0
	for timeout := time.After(time.Second); ; {
		select {
		case m := <-messages.Channel():
			if m.Payload == "other.poll" {
				other++
				continue
			}
			if n++; other > 0 {
				after++
			}
			continue
		case <-timeout:
		}
		break
	}
	if n == 0 || n > most || other != 1 || after > 1 {
		t.Errorf("%d messages for %d tasks in %v, %d for another, then %d", n, tasks, sent.Sub(began), other, after)
	}
}
