package worker

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
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
	for _, step := range []func(context.Context, tasks.Payload) (*tasks.Outcome, error){w.submit, w.poll} {
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
