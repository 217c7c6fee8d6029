package queue

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// asynq's servers look for tasks at intervals: a task that is due now waits for half
// an interval in the middle, twice between a webhook and its callback, and a shorter
// interval costs processor time while nothing happens. So a process that makes a task due
// now rings, and servers that found nothing wait for that instead of sleeping. A ring
// that is lost costs what it cost before.
//
// What is due later becomes due on a whole second, the only times that asynq knows. It
// looks for that at intervals, too, and finds it half an interval late in the middle,
// with every poll. So a server looks right after each whole second, and then not again
// until the next.

// bellChannel is where the names of queues are published that have a task due now.
const bellChannel = "extractq:bell"

// ring says that a queue has a task that is due now. It may be lost.
func (q *Queue) ring(ctx context.Context, queue string) {
	_ = q.rdb.Publish(ctx, bellChannel, queue).Err()
}

const (
	// Breath is the TaskCheckInterval and the DelayedTaskCheckInterval of a server that
	// has a client of a Bell: how long it pauses, on average, after each look that found
	// nothing, besides waiting.
	Breath = 10 * time.Millisecond
	// bellPatience is how long a server waits without a ring.
	bellPatience = 90 * time.Millisecond
)

// Bell wakes this process's servers. Make one with NewBell.
type Bell struct {
	rdb redis.UniversalClient
	// patience is bellPatience; tests wait longer.
	patience time.Duration

	mu      sync.Mutex
	sleeper map[string][]chan struct{} // By queue.
}

// NewBell returns the bell of rdb.
func NewBell(rdb redis.UniversalClient) *Bell {
	return &Bell{rdb: rdb, patience: bellPatience, sleeper: map[string][]chan struct{}{}}
}

// Run passes on what is rung until ctx ends.
func (b *Bell) Run(ctx context.Context) {
	heard := b.rdb.Subscribe(ctx, bellChannel)
	defer func() { _ = heard.Close() }() // Nothing is read from it any more.
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-heard.Channel():
			if !ok {
				return
			}
			b.wake(m.Payload)
		}
	}
}

// wake wakes those who wait for a queue. Who does not wait just now does not wait the
// next time.
func (b *Bell) wake(queue string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.sleeper[queue] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Client returns a client for one asynq server of some queues: after a look that
// found none of them to have a task, it waits until one of them is rung for, and after
// a look for what has become due until the next whole second. last is the queue that
// the server looks at last. After forget, which comes before the server's end, it waits
// no more.
func (b *Bell) Client(last string, queues ...string) (client redis.UniversalClient, forget func()) {
	own, gone := make(chan struct{}, 1), make(chan struct{})
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range queues {
		b.sleeper[q] = append(b.sleeper[q], own)
	}
	client = &patientClient{
		UniversalClient: b.rdb, queue: "asynq:{" + last + "}:", rung: own, gone: gone, patience: b.patience,
	}
	forget = sync.OnceFunc(func() {
		close(gone)
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, q := range queues {
			b.sleeper[q] = slices.DeleteFunc(b.sleeper[q], func(c chan struct{}) bool { return c == own })
		}
	})
	return client, forget
}

// patientClient is a client that waits in the two scripts by which asynq takes a task
// out of a queue and makes delayed ones pending. It knows them by their keys: those of
// the first are the pending tasks and the pause of the queue that is looked at last,
// those of the second delayed and pending ones. TestBellCostsNothing fails when a
// version of asynq looks in another way.
type patientClient struct {
	redis.UniversalClient

	queue    string // What the keys of the last queue begin with.
	rung     chan struct{}
	gone     <-chan struct{}
	patience time.Duration
}

// EvalSha is that of the client, and a wait where it found no task, or failed: asynq
// asks again at once when Redis refuses its scripts.
func (c *patientClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	cmd := c.UniversalClient.EvalSha(ctx, sha, keys, args...)
	if len(keys) < 2 {
		return cmd
	}
	empty := errors.Is(cmd.Err(), redis.Nil)
	failed := cmd.Err() != nil && !empty && !redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT")
	takes := strings.HasSuffix(keys[0], ":pending") && strings.HasSuffix(keys[1], ":paused")
	moves := (strings.HasSuffix(keys[0], ":scheduled") || strings.HasSuffix(keys[0], ":retry")) &&
		strings.HasSuffix(keys[1], ":pending")
	switch {
	case failed && takes:
		c.wait(ctx, c.patience, nil)
	case failed && moves:
		c.wait(ctx, time.Second, nil)
	case takes && keys[0] == c.queue+"pending":
		if empty {
			c.wait(ctx, c.patience, c.rung)
		}
	case moves && strings.HasSuffix(keys[0], ":scheduled"):
		select {
		case c.rung <- struct{}{}: // By whomever they were made pending.
		default:
		}
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

// wait waits for some time, for the end of the server, or for rung.
func (c *patientClient) wait(ctx context.Context, d time.Duration, rung <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-rung:
	case <-c.gone:
	case <-timer.C:
	case <-ctx.Done():
	}
}
