package worker

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
)

// startThrough is start for a test in which Redis goes away: its ticks may fail.
func (r *rig) startThrough() {
	w := r.worker()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	wg.Go(func() {
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			_, _ = w.reconcile(ctx, w.accounts["acme"])
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	})
	r.t.Cleanup(func() { cancel(); wg.Wait() })
}

func z(score float64, member string) redis.Z { return redis.Z{Score: score, Member: member} }

func (r *rig) recordKey(id string) string { return "extractq:{acme}:r:" + id }

// hset writes fields of a record behind the scripts' back, which is how a test
// lets time pass.
func (r *rig) hset(id string, pairs ...any) {
	r.t.Helper()
	if err := r.rdb.HSet(context.Background(), r.recordKey(id), pairs...).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// overdue makes reconcile look at an extraction now.
func (r *rig) overdue(id string) {
	r.t.Helper()
	if err := r.rdb.ZAddXX(context.Background(), "extractq:{acme}:due", z(1, id)).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// ago is a moment in the past as records have it.
func ago(d time.Duration) int64 { return time.Now().Add(-d).UnixMilli() }

func (r *rig) worker() *Worker {
	r.t.Helper()
	w, err := New(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

func (r *rig) payload(id string) queue.Payload {
	r.t.Helper()
	rec := r.get(id)
	return queue.For(rec, rec.Seq)
}

// polling makes an extraction that was submitted some time ago.
func (r *rig) polling(w *Worker, body string, submitted time.Duration) string {
	r.t.Helper()
	id := r.submit(body)
	if _, err := w.submit(r.t.Context(), r.payload(id)); err != nil {
		r.t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusInProgress {
		r.t.Fatalf("%s is %s", id, got.Status)
	}
	r.hset(id, "sub", ago(submitted))
	return id
}
