package queue

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
)

// BenchmarkDelayedTask is how long after its whole second a task comes that was planned
// for it, with a client of the bell and with asynq's own intervals. Each server starts at
// another moment of a second, because the intervals count from there.
func BenchmarkDelayedTask(b *testing.B) {
	b.Run("bell", func(b *testing.B) {
		rdb := redistest.Client(b)
		bell := NewBell(rdb)
		benchDelayed(b, rdb, Breath, Breath, func() (redis.UniversalClient, func()) { return bell.Client("acme.poll", "acme.poll") })
	})
	b.Run("intervals", func(b *testing.B) {
		rdb := redistest.Client(b)
		benchDelayed(b, rdb, 100*time.Millisecond, 500*time.Millisecond, func() (redis.UniversalClient, func()) { return rdb, func() {} })
	})
}

func benchDelayed(b *testing.B, rdb *redis.Client, look, forward time.Duration, newClient func() (redis.UniversalClient, func())) {
	b.Helper()
	q := asynq.NewClientFromRedisClient(rdb)
	var late time.Duration
	for n := time.Duration(0); b.Loop(); n++ {
		start := time.Now().Truncate(time.Second).Add(time.Second + n*137*time.Millisecond%time.Second)
		<-time.After(time.Until(start))
		client, forget := newClient()
		server := asynq.NewServerFromRedisClient(client, asynq.Config{
			Concurrency: 4, Queues: map[string]int{"acme.poll": 1}, LogLevel: asynq.FatalLevel,
			TaskCheckInterval: look, DelayedTaskCheckInterval: forward,
		})
		taken := make(chan time.Time, 1)
		if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
			taken <- time.Now()
			return nil
		})); err != nil {
			b.Fatal(err)
		}
		due := start.Truncate(time.Second).Add(3 * time.Second)
		if _, err := q.Enqueue(asynq.NewTask("poll", nil), asynq.Queue("acme.poll"), asynq.ProcessAt(due)); err != nil {
			b.Fatal(err)
		}
		late += (<-taken).Sub(due)
		forget()
		server.Shutdown()
	}
	b.ReportMetric(float64(late.Microseconds())/1000/float64(b.N), "ms-late")
}
