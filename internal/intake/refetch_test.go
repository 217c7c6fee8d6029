package intake

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// lost makes a SUCCESS whose result is cut.
func (r *rig) lost(t *testing.T) store.Record {
	t.Helper()
	c := new(store.Change).Vendor("v1").Result(1)
	old := r.ended(t, extraction.StatusSuccess, "", c)
	sum, err := r.blobs.PutResult(t.Context(), old.ID, 1, extraction.NewResult([]byte(`{"total":1}`)))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.rdb.HSet(t.Context(), "extractq:{acme}:r:"+old.ID, "rsum", sum).Err(); err != nil {
		t.Fatal(err)
	}
	old = r.record(t, old.ID)
	if err := r.Retryable(t.Context(), old); !errors.Is(err, ErrSucceeded) {
		t.Fatalf("Retryable while it is good = %v", err)
	}
	if err := os.Truncate(filepath.Join(r.dir, old.ID, strconv.FormatInt(old.ResultSeq, 10)), 3); err != nil {
		t.Fatal(err)
	}
	return old
}

// However many retry a SUCCESS whose result is damaged, it is fetched once, under its own
// id, and nothing is submitted.
func TestRetryFetchesAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := r.lost(t)
	submitted := len(r.queued(t, "acme.submit"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			e, err := r.Retry(t.Context(), "acme", old.ID, true)
			if err != nil || e.ID != old.ID || e.Status != extraction.StatusSuccess || e.Settled() ||
				e.Error == nil || e.Error.Code != extraction.CodeResultUnavailable {
				t.Errorf("Retry = %+v with %+v, %v", e, e.Error, err)
			}
		})
	}
	wg.Wait()
	got := r.record(t, old.ID)
	if !got.Fetching() || got.Seq != old.Seq+1 || got.RetriedBy != "" || len(r.queued(t, "acme.submit")) != submitted {
		t.Errorf("now %+v, before seq %d", got, old.Seq)
	}
	if tasks := r.queued(t, "acme.poll"); len(tasks) != 1 || tasks[0] != queue.TaskID(old.ID, got.Seq) {
		t.Errorf("the poll queue holds %v", tasks)
	}
	if _, err := r.Delete(t.Context(), "acme", old.ID); err != nil {
		t.Fatal(err)
	}
	if tasks := r.queued(t, "acme.poll"); len(tasks) != 0 {
		t.Errorf("after the deletion the poll queue holds %v", tasks)
	}
}

// A store that cannot be read is no damaged result.
func TestRetryWithoutStore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := store.Pair(t.Context(), r.records, r.blobs, store.Terms{}); err != nil {
		t.Fatal(err)
	}
	if err := r.blobs.Hold(t.Context(), r.records); err != nil {
		t.Fatal(err)
	}
	old := r.lost(t)
	if err := os.Rename(r.dir, r.dir+".away"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(r.dir + ".away") }()
	if _, err := r.Retry(t.Context(), "acme", old.ID, false); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrSucceeded) {
		t.Errorf("Retry = %v, want the store's trouble", err)
	}
	if r.record(t, old.ID).Fetching() {
		t.Error("it is being fetched, although its damage was not found")
	}
}
