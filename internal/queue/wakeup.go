package queue

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// asynq's servers look for tasks at intervals: a task that is due now waits for half an
// interval on average, twice between a webhook and its callback, and a shorter interval costs
// processor time while nothing happens. So a process that makes a task due now publishes the
// name of its queue, and servers that found nothing wait for that instead of sleeping. A
// message that is lost costs half an interval.
//
// What is due later becomes due on a whole second, the only times that asynq knows. It looks
// for that at intervals, too, and would find each poll half an interval late. So a server
// looks right after each whole second, and then not again until the next.
//
// BenchmarkLag compares this with plain intervals.

// wakeupChannel is where the names of queues are published that have a task due now. It
// keeps the name that older workers publish under.
const wakeupChannel = "extractq:bell"

// Channels are those that every process listens to or publishes on: ours, and the one on
// which asynq cancels tasks.
var Channels = []string{wakeupChannel, "asynq:cancel"}

const (
	// notifyGap is the least time between two messages of a process about one queue.
	notifyGap = 10 * time.Millisecond
	// emptyFor is how long a queue that was found empty is not looked at again while the
	// queues after it are not empty, unless a message or the server's own look for what has
	// become due says that it has a task.
	emptyFor = 10 * time.Millisecond
	// IdlePoll is the TaskCheckInterval and the DelayedTaskCheckInterval of a server that
	// has a client of a Wakeup: how long it sleeps, on average, after each look that found
	// nothing, besides its wait in the client.
	IdlePoll = 10 * time.Millisecond
	// waitFor is how long a server waits without a message.
	waitFor = 90 * time.Millisecond
)

// Wakeup wakes this process's servers. Make one with NewWakeup.
type Wakeup struct {
	rdb redis.UniversalClient
	// timeout is waitFor; tests wait longer.
	timeout time.Duration

	mu      sync.Mutex
	clients map[string][]*blockingClient // By queue.
}

// NewWakeup returns a Wakeup that listens to rdb once it runs.
func NewWakeup(rdb redis.UniversalClient) *Wakeup {
	return &Wakeup{rdb: rdb, timeout: waitFor, clients: map[string][]*blockingClient{}}
}

// Run passes on what is published until ctx ends.
func (w *Wakeup) Run(ctx context.Context) {
	messages := w.rdb.Subscribe(ctx, wakeupChannel)
	defer func() { _ = messages.Close() }() // Nothing is read from it any more.
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-messages.Channel():
			if !ok {
				return
			}
			w.wake(m.Payload)
		}
	}
}

// wake wakes the servers that wait for a queue. One that does not wait at this moment skips
// its next wait.
func (w *Wakeup) wake(queue string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.clients[queue] {
		c.wake()
	}
}

// Client returns a client for one asynq server of some queues: after a look that
// found none of them to have a task, it waits until one of them is notified, and after
// a look for what has become due until the next whole second. last is the queue that
// the server looks at last. After unsubscribe, which comes before the server's end, it waits
// no more.
func (w *Wakeup) Client(last string, queues ...string) (client redis.UniversalClient, unsubscribe func()) {
	gone := make(chan struct{})
	c := &blockingClient{
		UniversalClient: w.rdb, queue: "asynq:{" + last + "}:", woken: make(chan struct{}, 1), gone: gone, timeout: w.timeout,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, q := range queues {
		w.clients[q] = append(w.clients[q], c)
	}
	return c, sync.OnceFunc(func() {
		close(gone)
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, q := range queues {
			w.clients[q] = slices.DeleteFunc(w.clients[q], func(o *blockingClient) bool { return o == c })
		}
	})
}

// blockingClient is a client that waits in the two scripts by which asynq takes a task
// out of a queue and makes delayed ones pending. It knows them by their keys: those of
// the first are the pending tasks and the pause of the queue that is looked at last,
// those of the second delayed and pending ones. TestIdleServerCostsNothing fails when a
// version of asynq looks in another way.
type blockingClient struct {
	redis.UniversalClient

	queue   string // What the keys of the last queue begin with.
	woken   chan struct{}
	gone    <-chan struct{}
	timeout time.Duration
	// empty is until when the queues before the last one are taken for empty, in
	// nanoseconds since 1970.
	empty atomic.Int64
}

// wake ends the wait, or lets the next one be skipped, and has all queues looked at.
func (c *blockingClient) wake() {
	c.empty.Store(0)
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// EvalSha is that of the client, and a wait where it found no task, or failed: asynq
// asks again at once when Redis refuses its scripts. Where it found no task a moment ago in
// a queue before the last one, it does not look there: asynq does before each task that it
// takes out of the last one.
func (c *blockingClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	takes := len(keys) > 1 && strings.HasSuffix(keys[0], ":pending") && strings.HasSuffix(keys[1], ":paused")
	last := takes && keys[0] == c.queue+"pending"
	looked, until := time.Now(), c.empty.Load()
	if takes && !last && looked.UnixNano() < until {
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(redis.Nil)
		return cmd
	}
	cmd := c.UniversalClient.EvalSha(ctx, sha, keys, args...)
	if len(keys) < 2 {
		return cmd
	}
	empty := errors.Is(cmd.Err(), redis.Nil)
	failed := cmd.Err() != nil && !empty && !redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT")
	moves := (strings.HasSuffix(keys[0], ":scheduled") || strings.HasSuffix(keys[0], ":retry")) &&
		strings.HasSuffix(keys[1], ":pending")
	switch {
	case failed && takes:
		c.wait(ctx, c.timeout, nil)
	case failed && moves:
		c.wait(ctx, time.Second, nil)
	case last && empty:
		c.empty.Store(0)
		c.wait(ctx, c.timeout, c.woken)
	case takes && empty:
		c.empty.CompareAndSwap(until, looked.Add(emptyFor).UnixNano())
	case moves && strings.HasSuffix(keys[0], ":scheduled"):
		c.wake() // Whichever process made them pending.
	case moves && keys[0] == c.queue+"retry":
		// Asked with the time before the wait: it moves nothing that is due after it.
		// What is left to move is asked for again at once.
		if n, err := cmd.Int(); err == nil && n == 0 {
			now := time.Now()
			c.wait(ctx, now.Truncate(time.Second).Add(time.Second).Sub(now), nil)
		}
	}
	return cmd
}

// wait waits for some time, for the end of the server, or for woken.
func (c *blockingClient) wait(ctx context.Context, d time.Duration, woken <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-woken:
	case <-c.gone:
	case <-timer.C:
	case <-ctx.Done():
	}
}
