package worker

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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
	if err := store.Pair(t.Context(), r.records, r.blobs, false); err != nil {
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
