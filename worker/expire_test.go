package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// age makes a document one of two hours ago.
func (r *rig) age(id string) {
	r.t.Helper()
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(r.dir, id, "document"), old, old); err != nil {
		r.t.Fatal(err)
	}
}

// The hourly look deletes what a crash left in the document store.
func TestUnreferencedBlobs(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	if err := store.Pair(t.Context(), r.records, r.blobs, store.Terms{}); err != nil {
		t.Fatal(err)
	}
	orphan, wanted := store.NewID(), r.submit("x")
	if _, err := r.blobs.PutDocument(t.Context(), orphan, strings.NewReader("x"), 0); err != nil {
		t.Fatal(err)
	}
	r.age(orphan)
	r.age(wanted)
	r.cfg.Tick = 0
	r.start()
	has := func(id string) bool {
		has, err := r.blobs.HasDocument(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return has
	}
	r.await("the orphan to go", func() bool { return !has(orphan) })
	if !has(wanted) {
		t.Error("a document with a record is gone")
	}
}

// The accounts may be exchanged while the hourly task goes through them.
func TestExpireDuringReload(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	w := r.worker()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 20 {
			w.expireUnreferenced(t.Context())
		}
	})
	for range 20 {
		r.reload(w, r.cfg.Accounts[0])
	}
	wg.Wait()
}

// With a document retention of nothing, the document goes at the next look, and the record
// stays.
func TestNoDocumentRetention(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	r.cfg.DocumentRetention = 0
	w := r.worker()
	id := r.submit("x")
	for _, step := range []func(context.Context, queue.Payload) (*queue.Outcome, error){w.submit, w.poll} {
		if _, err := step(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.reconcile(t.Context(), w.accounts["acme"]); err != nil {
		t.Fatal(err)
	}
	if has, err := r.blobs.HasDocument(t.Context(), id); has || err != nil {
		t.Errorf("the document is still there: %v, %v", has, err)
	}
	if got := r.get(id); got.Status != extraction.StatusSuccess {
		t.Errorf("the record is %s", got.Status)
	}
	due, err := r.rdb.ZScore(t.Context(), "extractq:{acme}:due", id).Result()
	if err != nil || time.UnixMilli(int64(due)).Before(time.Now().Add(time.Hour)) {
		t.Errorf("the next look is at %v, %v, want it with the retention", time.UnixMilli(int64(due)), err)
	}
}

// The counts of a batch go the retention after its last record: also those of an account
// that no worker has, and those that an earlier version left.
func TestBatchExpires(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		left, gone bool
	}{{name: "noted"}, {name: "left by an earlier version", left: true}, {name: "of an account without a worker", gone: true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, newVendor())
			if err := store.Pair(t.Context(), r.records, r.blobs, store.Terms{}); err != nil {
				t.Fatal(err)
			}
			w := r.worker()
			id := r.submit("x")
			for _, step := range []func(context.Context, queue.Payload) (*queue.Outcome, error){w.submit, w.poll} {
				if _, err := step(t.Context(), r.payload(id)); err != nil {
					t.Fatal(err)
				}
			}
			counts := func() int64 {
				b, err := r.records.Count(t.Context(), []string{"acme"}, "b1", "")
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Fatal(err)
				}
				return b.Total()
			}
			r.hset(id, "exp", ago(time.Second))
			r.overdue(id)
			if _, err := w.reconcile(t.Context(), w.accounts["acme"]); err != nil {
				t.Fatal(err)
			}
			if _, err := r.records.Get(t.Context(), "acme", id); !errors.Is(err, store.ErrNotFound) || counts() != 1 {
				t.Fatalf("after the retention the record is there, or not the counts: %v", err)
			}
			r.cfg.Tick, r.cfg.Retention = 20*time.Millisecond, 300*time.Millisecond
			emptied := "extractq:{acme}:emptied"
			if tt.left {
				r.rdb.Del(t.Context(), emptied)
			} else {
				r.rdb.ZAddXX(t.Context(), emptied, z(float64(time.Now().Add(r.cfg.Retention).UnixMilli()), "b1"))
			}
			if tt.gone {
				r.cfg.Accounts = []Account{{Name: "other", Provider: r.cfg.Accounts[0].Provider}}
			}
			r.run(r.worker())
			r.await("the counts to go", func() bool { return counts() == 0 })
		})
	}
}
