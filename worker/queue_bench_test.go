//go:build unix

package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

// queueSlots is how many steps run at once, of all accounts together, and how many
// documents producers are ahead of the vendor.
const queueSlots = 200

// BenchmarkQueue is what the queue itself can carry: b.N documents in memory go through
// submit, one poll and the end, at a vendor that does nothing. Beside it, in the same run,
// bare asynq carries as many pairs of tasks: one at once, and one for the next whole second.
// Run it with a fixed number: -benchtime 20000x.
func BenchmarkQueue(b *testing.B) {
	for _, accounts := range []int{1, 4} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			b.StopTimer()
			before := carry(b, accounts, bareQueue)
			b.StartTimer()
			ours := carry(b, accounts, wholeQueue)
			b.StopTimer()
			after := carry(b, accounts, bareQueue)
			bare := (before.perSecond + after.perSecond) / 2
			b.ReportMetric(ours.perSecond, "docs/s")
			b.ReportMetric(bare, "asynq-docs/s")
			b.ReportMetric(ours.perSecond/bare, "ratio")
			b.ReportMetric(ours.trips, "trips/doc")
			b.ReportMetric(before.trips, "asynq-trips/doc")
			b.ReportMetric(ours.micros, "redis-µs/doc")
			b.ReportMetric(before.micros, "asynq-redis-µs/doc")
			b.ReportMetric(ours.cpu, "cpu-µs/doc")
			b.ReportMetric(before.cpu, "asynq-cpu-µs/doc")
			b.ReportMetric(ours.redisCPU, "redis-cpu-µs/doc")
			b.ReportMetric(before.redisCPU, "asynq-redis-cpu-µs/doc")
			if b.N > 1 { // The first try is of one.
				b.Log("round trips a document: " + ours.names)
			}
		})
	}
}

// carried is what one run came to.
type carried struct {
	perSecond float64
	// trips are round trips, micros how long Redis worked by its own count, and cpu and
	// redisCPU how long this process and Redis had a core, which is what a busy machine
	// changes least; all a document.
	trips, micros, cpu, redisCPU float64
	names                        string
}

// queueRun is one run of a queue: what it needs, and what it tells.
type queueRun struct {
	b        *testing.B
	rdb      *redis.Client
	trips    *trips
	accounts []string
	// ahead bounds how many documents wait for their submission; the submission takes one out.
	ahead map[string]chan struct{}
	ended chan time.Time
}

// carry takes b.N documents through a queue, after a few that warm it up.
func carry(b *testing.B, accounts int, start func(*queueRun) (hand func(account string) error)) carried {
	b.Helper()
	q := &queueRun{
		b: b, rdb: redistest.Client(b), trips: newTrips(), ahead: map[string]chan struct{}{},
		ended: make(chan time.Time, b.N+queueSlots),
	}
	q.rdb.AddHook(q.trips)
	for n := range accounts {
		name := fmt.Sprint("acme", n)
		q.accounts, q.ahead[name] = append(q.accounts, name), make(chan struct{}, queueSlots/accounts)
	}
	hand := start(q)
	q.documents(queueSlots, hand)
	q.trips.reset()
	if err := q.rdb.ConfigResetStat(b.Context()).Err(); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	worked, redisWorked := q.cpu()
	ends := q.documents(b.N, hand)
	// The first and the last wait for a second to come.
	from, to := began, ends[len(ends)-1]
	n := float64(b.N)
	if b.N >= 1000 {
		from, to, n = ends[b.N/10], ends[b.N-b.N/10], 0.8*n
	}
	got := carried{
		perSecond: n / to.Sub(from).Seconds(), micros: q.trips.redisMicros(b, q.rdb) / float64(b.N),
	}
	cpu, redisCPU := q.cpu()
	got.cpu, got.redisCPU = (cpu-worked)/float64(b.N), (redisCPU-redisWorked)/float64(b.N)
	var names []string
	q.trips.mu.Lock()
	defer q.trips.mu.Unlock()
	for _, name := range slices.SortedFunc(maps.Keys(q.trips.count), func(a, b string) int {
		return cmp.Compare(q.trips.count[b], q.trips.count[a])
	}) {
		each := float64(q.trips.count[name]) / float64(b.N)
		got.trips += each
		if each >= 0.01 {
			names = append(names, fmt.Sprintf("%.2f %s", each, name))
		}
	}
	got.names = strings.Join(names, ", ")
	return got
}

// cpu is how long this process and Redis have had a core so far, in microseconds.
func (q *queueRun) cpu() (own, redis float64) {
	q.b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		q.b.Fatal(err)
	}
	info, err := q.rdb.InfoMap(context.Background(), "cpu").Result()
	if err != nil {
		q.b.Fatal(err)
	}
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, _ := strconv.ParseFloat(info["CPU"][name], 64)
		redis += seconds * 1e6
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e3, redis
}

// documents hands in n documents, an account's after another's, and returns when they ended.
func (q *queueRun) documents(n int, hand func(account string) error) []time.Time {
	q.b.Helper()
	var producers sync.WaitGroup
	var next atomic.Int64
	for range 16 {
		producers.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				account := q.accounts[int(i)%len(q.accounts)]
				q.ahead[account] <- struct{}{}
				if err := hand(account); err != nil {
					q.b.Error(err)
					q.ended <- time.Now()
				}
			}
		})
	}
	ends := make([]time.Time, n)
	for i := range ends {
		ends[i] = <-q.ended
	}
	producers.Wait()
	return ends
}

// wholeQueue starts a worker, and hands documents in as producers do.
func wholeQueue(q *queueRun) func(account string) error {
	blobs, err := store.OpenBlobs(q.b.Context(), "mem://")
	if err != nil {
		q.b.Fatal(err)
	}
	client, err := intake.New(intake.Parts{Redis: q.rdb, Blobs: blobs})
	if err != nil {
		q.b.Fatal(err)
	}
	cfg := Config{
		Redis: q.rdb, Blobs: blobs, Concurrency: queueSlots / len(q.accounts), Logger: slog.New(slog.DiscardHandler),
		Ended: func(End) { q.ended <- time.Now() },
	}
	for _, name := range q.accounts {
		cfg.Accounts = append(cfg.Accounts, Account{Name: name, Deadline: time.Hour, Provider: idleVendor{newVendor(), q.ahead[name]}})
	}
	w, err := New(cfg)
	if err != nil {
		q.b.Fatal(err)
	}
	q.until(func(ctx context.Context) error { return w.Run(ctx) })
	document := strings.Repeat("x", 1000)
	return func(account string) error {
		_, err := client.Submit(q.b.Context(), intake.Submission{
			Account: account, Provider: "fake", Type: "invoices", Name: "a.pdf", Document: strings.NewReader(document),
		})
		return err
	}
}

// until runs something until the benchmark ends.
func (q *queueRun) until(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := run(ctx); err != nil {
			q.b.Error(err)
		}
	})
	q.b.Cleanup(func() { cancel(); running.Wait() })
}

// idleVendor does nothing, and has finished whatever it is asked for.
type idleVendor struct {
	*vendor

	ahead chan struct{}
}

func (v idleVendor) Submit(ctx context.Context, s extraction.Submission) (extraction.Receipt, error) {
	<-v.ahead
	return v.vendor.Submit(ctx, s)
}

func (idleVendor) Poll(context.Context, string) (extraction.Outcome, error) { return done(), nil }

// bareQueue starts a server of asynq for each account, and hands in tasks as large as ours,
// with the same options.
func bareQueue(q *queueRun) func(account string) error {
	client := asynq.NewClientFromRedisClient(q.rdb)
	enqueue := func(account, id string, step extraction.Step, at time.Time) error {
		body, err := json.Marshal(queue.For(store.Record{Input: store.Input{ID: id, Account: account, Type: "invoices"}}, 1))
		if err != nil {
			return err
		}
		kind, name := queue.TypeSubmit, queue.SubmitQueue(account)
		if step == extraction.StepPoll {
			kind, name = queue.TypePoll, queue.PollQueue(account)
		}
		_, err = client.EnqueueContext(context.Background(), asynq.NewTask(kind, body), asynq.TaskID(id+string(step)),
			asynq.Queue(name), asynq.MaxRetry(math.MaxInt32), asynq.Timeout(24*time.Hour), asynq.Retention(10*time.Minute), asynq.ProcessAt(at))
		return err
	}
	for _, account := range q.accounts {
		server := asynq.NewServerFromRedisClient(q.rdb, asynq.Config{
			Concurrency: queueSlots / len(q.accounts), LogLevel: asynq.FatalLevel,
			Queues: map[string]int{queue.PollQueue(account): 2, queue.SubmitQueue(account): 1}, StrictPriority: true,
			TaskCheckInterval: 10 * time.Millisecond, DelayedTaskCheckInterval: 250 * time.Millisecond,
		})
		mux := asynq.NewServeMux()
		mux.HandleFunc(queue.TypeSubmit, func(_ context.Context, task *asynq.Task) error {
			<-q.ahead[account]
			p, err := queue.Decode(task)
			if err == nil {
				err = enqueue(account, p.ID, extraction.StepPoll, time.Now().Truncate(time.Second).Add(time.Second))
			}
			if err != nil {
				return err
			}
			return queue.Passed
		})
		mux.HandleFunc(queue.TypePoll, func(context.Context, *asynq.Task) error {
			q.ended <- time.Now()
			return nil
		})
		if err := server.Start(mux); err != nil {
			q.b.Fatal(err)
		}
		q.b.Cleanup(server.Shutdown)
	}
	return func(account string) error { return enqueue(account, store.NewID(), extraction.StepSubmit, time.Time{}) }
}
