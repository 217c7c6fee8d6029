package queue

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
)

// BenchmarkLag is how late tasks come, and what servers cost that have nothing to do, with
// a Wakeup and with asynq's own intervals. In one run it prints the quantiles of two times: from
// a poll's due second to its handler, and from a webhook, which makes a poll run that is far
// off, through that poll to the handler of the delivery that it enqueues. The vendor's answer
// and the callback itself take no time here.
func BenchmarkLag(b *testing.B) {
	for _, c := range []struct {
		name          string
		look, forward time.Duration
		wakeup        bool
	}{
		{"wakeup", IdlePoll, IdlePoll, true},
		{"intervals of 50 and 250 ms", 50 * time.Millisecond, 250 * time.Millisecond, false},
		{"intervals at the same idle cost", 100 * time.Millisecond, time.Second, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				l := newLag(b, c.look, c.forward, c.wakeup)
				l.idle()
				l.measure()
			}
		})
	}
}

// lagAccounts is how many servers there are, each started at another moment of a second,
// because the intervals count from there; lagSeconds is how long all get tasks.
const (
	lagAccounts = 8
	lagSeconds  = 20
)

type lag struct {
	b   *testing.B
	rdb *redis.Client
	q   *Queue

	mu        sync.Mutex
	due, hook []time.Duration
	left      sync.WaitGroup
}

func newLag(b *testing.B, look, forward time.Duration, withWakeup bool) *lag {
	b.Helper()
	l := &lag{b: b, rdb: redistest.Client(b)}
	l.q = New(l.rdb)
	wakeup := NewWakeup(l.rdb)
	if withWakeup {
		go wakeup.Run(b.Context())
	}
	serve := func(queues ...string) {
		var client redis.UniversalClient = l.rdb
		if withWakeup {
			var unsubscribe func()
			client, unsubscribe = wakeup.Client(queues[len(queues)-1], queues...)
			b.Cleanup(unsubscribe)
		}
		weights := map[string]int{}
		for i, q := range queues {
			weights[q] = len(queues) - i
		}
		server := asynq.NewServerFromRedisClient(client, asynq.Config{
			Concurrency: 8, Queues: weights, StrictPriority: true, LogLevel: asynq.FatalLevel,
			TaskCheckInterval: look, DelayedTaskCheckInterval: forward,
		})
		if err := server.Start(asynq.HandlerFunc(l.handle)); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(server.Shutdown)
	}
	for n := range lagAccounts {
		account := fmt.Sprint("a", n)
		serve(PollQueue(account), SubmitQueue(account))
		time.Sleep(137 * time.Millisecond)
	}
	serve(DeliverQueue)
	return l
}

// handle notes when a task came. The payload is when it should have come.
func (l *lag) handle(ctx context.Context, task *asynq.Task) error {
	ns, err := strconv.ParseInt(string(task.Payload()), 10, 64)
	if err != nil {
		return err
	}
	late := time.Since(time.Unix(0, ns))
	switch task.Type() {
	case "due":
		l.mu.Lock()
		defer l.mu.Unlock()
		l.due = append(l.due, late)
	case "hook":
		return l.q.enqueue(ctx, asynq.NewTask(TypeDeliver, task.Payload()), []asynq.Option{asynq.Queue(DeliverQueue)})
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.hook = append(l.hook, late)
	}
	l.left.Done()
	return nil
}

// idle counts the scripts that all servers send while there is nothing to do.
func (l *lag) idle() {
	l.b.Helper()
	const idleFor = 10 * time.Second
	before := evals(l.b, l.rdb)
	time.Sleep(idleFor)
	l.b.ReportMetric(float64(evals(l.b, l.rdb)-before)/idleFor.Seconds()/(lagAccounts+1), "idle-scripts/s")
}

// measure gives each account a poll for every second, and a webhook in between.
func (l *lag) measure() {
	l.b.Helper()
	start := time.Now().Truncate(time.Second).Add(3 * time.Second)
	enqueue := func(kind string, at time.Time, opts ...asynq.Option) {
		if err := l.q.enqueue(l.b.Context(), asynq.NewTask(kind, strconv.AppendInt(nil, at.UnixNano(), 10)), opts); err != nil {
			l.b.Error(err)
			l.left.Done()
		}
	}
	for n := range lagAccounts {
		poll := asynq.Queue(PollQueue(fmt.Sprint("a", n)))
		l.left.Add(2 * lagSeconds)
		for s := range lagSeconds {
			due := start.Add(time.Duration(s) * time.Second)
			enqueue("due", due, poll, asynq.ProcessAt(due))
		}
		go func() {
			for s := range lagSeconds {
				// At another moment of each second.
				at := start.Add(time.Duration(s)*time.Second + time.Duration(100+(s*211+n*97)%800)*time.Millisecond)
				id := fmt.Sprint("hook", n, "-", s)
				enqueue("hook", at, poll, asynq.TaskID(id), asynq.ProcessIn(time.Hour))
				time.Sleep(time.Until(at))
				if _, err := l.q.run(l.b.Context(), PollQueue(fmt.Sprint("a", n)), id); err != nil {
					l.b.Error(err)
				}
			}
		}()
	}
	l.left.Wait()
	for name, times := range map[string][]time.Duration{"due": l.due, "hook": l.hook} {
		slices.Sort(times)
		for _, p := range []float64{0.5, 0.95} {
			t := times[int(math.Ceil(p*float64(len(times))))-1]
			l.b.ReportMetric(float64(t.Microseconds())/1000, fmt.Sprintf("%s-p%.0f-ms", name, 100*p))
		}
	}
}
