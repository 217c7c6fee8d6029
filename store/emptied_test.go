package store

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
)

// erased makes an extraction of a batch, of which nothing is left but the counts, for
// kept.
func (r *rig) erased(batch string, kept time.Duration) {
	r.t.Helper()
	in := r.inBatch("acme", batch, "c1")
	r.want("Cancel", r.s.Cancel(r.t.Context(), in, NewToken(), Kept{}), nil)
	r.want("Erase", r.s.Erase(r.t.Context(), in, true, Kept{Record: kept}), nil)
}

// forget is what reconcile does.
func (r *rig) forget(want int) {
	r.t.Helper()
	if got, err := r.s.ForgetBatches(r.t.Context(), "acme", 500); got != want || err != nil {
		r.t.Errorf("%d batches were forgotten, %v, want %d", got, err, want)
	}
}

// total is how many extractions the counts of a batch have, alone and in the list.
func (r *rig) total(batch string) int64 {
	r.t.Helper()
	listed, _, err := r.s.Batches(r.t.Context(), []string{"acme"}, "", Cursor{}, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	in := int64(0)
	for _, b := range listed {
		if b.Name == batch {
			in = b.Total()
		}
	}
	one, err := r.s.Count(r.t.Context(), []string{"acme"}, batch, "")
	if err == nil && one.Total() != in || err != nil && in != 0 {
		r.t.Errorf("%s has %d in the list, and alone %d, %v", batch, in, one.Total(), err)
	}
	return one.Total()
}

func everyRedis(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		test(t, redistest.Client(t))
	})
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		rdb := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), DisableIdentity: true})
		t.Cleanup(func() { _ = rdb.Close() })
		test(t, rdb)
	})
}

// The counts of a batch go the retention after its last record, all of them, and nothing
// of the batch stays.
func TestBatchGoes(t *testing.T) {
	t.Parallel()
	everyRedis(t, func(t *testing.T, rdb *redis.Client) {
		r := newRigOn(t, rdb)
		first, last := r.inBatch("acme", "b", "c1"), r.inBatch("acme", "b", "")
		r.erased("other", time.Hour)
		for i, in := range []Input{first, last} {
			r.want("Cancel", r.s.Cancel(t.Context(), in, NewToken(), Kept{}), nil)
			r.want("Erase", r.s.Erase(t.Context(), in, true, Kept{Record: time.Hour}), nil)
			if _, ends := r.score(r.k.emptied(), "b"); ends != (i == 1) {
				t.Errorf("after the erasure of %d of 2, the end of the batch is known: %v", i+1, ends)
			}
		}
		at, _ := r.score(r.k.emptied(), "b")
		if left := time.Until(time.UnixMilli(int64(at))); left < 55*time.Minute || left > 65*time.Minute {
			t.Errorf("the counts go in %v, want an hour", left)
		}
		r.forget(0)
		if got := r.total("b"); got != 2 {
			t.Errorf("within the retention, the batch has %d, want 2", got)
		}
		r.rdb.ZAdd(t.Context(), r.k.emptied(), z(1, "b"))
		r.forget(1)
		r.forget(0)
		if got := r.total("b"); got != 0 || r.total("other") != 1 {
			t.Errorf("after the retention, the batch has %d and the other %d, want none and 1", got, r.total("other"))
		}
		for _, key := range []string{r.k.batch("b"), r.k.batchCounts("b")} {
			if r.rdb.Exists(t.Context(), key).Val() != 0 {
				t.Errorf("%s is still there", key)
			}
		}
		for _, key := range []string{r.k.batches(), r.k.emptied()} {
			if _, there := r.score(key, "b"); there {
				t.Errorf("%s still names it", key)
			}
		}
	})
}

// A short retention is waited for, by Redis's clock.
func TestBatchGoesInTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const kept = 300 * time.Millisecond
	r.erased("b", kept)
	began := time.Now()
	for r.total("b") != 0 {
		if time.Since(began) > time.Minute {
			t.Fatal("the batch stays")
		}
		if _, err := r.s.ForgetBatches(t.Context(), "acme", 500); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(began); took < kept/2 {
		t.Errorf("the batch went after %v, want %v", took, kept)
	}
}

// A batch that gets a record within the retention keeps its counts, and they go the
// retention after that one.
func TestBatchComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.erased("b", time.Hour)
	again := r.inBatch("acme", "b", "")
	r.rdb.ZAdd(t.Context(), r.k.emptied(), z(1, "b"))
	r.forget(0)
	if got := r.total("b"); got != 2 {
		t.Errorf("with a record again, the batch has %d, want 2", got)
	}
	r.want("Cancel", r.s.Cancel(t.Context(), again, NewToken(), Kept{}), nil)
	r.want("Erase", r.s.Erase(t.Context(), again, true, Kept{Record: time.Hour}), nil)
	r.forget(0)
	if got := r.total("b"); got != 2 {
		t.Errorf("within the retention after the new one, the batch has %d, want 2", got)
	}
	r.rdb.ZAdd(t.Context(), r.k.emptied(), z(1, "b"))
	r.forget(1)
	r.inBatch("acme", "b", "")
	if got := r.total("b"); got != 1 {
		t.Errorf("begun anew, the batch has %d, want 1", got)
	}
}

// What an earlier version left is found, and stays for the retention from then on; a batch
// with records is not touched.
func TestEmptiedBatchesAreFound(t *testing.T) {
	t.Parallel()
	everyRedis(t, func(t *testing.T, rdb *redis.Client) {
		r := newRigOn(t, rdb)
		r.erased("old", time.Hour)
		r.inBatch("acme", "live", "")
		r.rdb.Del(t.Context(), r.k.emptied())
		find := func() float64 {
			t.Helper()
			r.want("FindEmptied", r.s.FindEmptied(t.Context(), "acme", time.Hour), nil)
			at, _ := r.score(r.k.emptied(), "old")
			return at
		}
		at := find()
		if left := time.Until(time.UnixMilli(int64(at))); left < 55*time.Minute || left > 65*time.Minute {
			t.Errorf("the counts go in %v, want an hour", left)
		}
		time.Sleep(5 * time.Millisecond)
		if again := find(); again != at {
			t.Errorf("found again, they go at %v, not %v", again, at)
		}
		if n := r.rdb.ZCard(t.Context(), r.k.emptied()).Val(); n != 1 {
			t.Errorf("%d batches are to go, want 1", n)
		}
		r.rdb.ZAdd(t.Context(), r.k.emptied(), z(1, "old"))
		r.forget(1)
		if r.total("old") != 0 || r.total("live") != 1 {
			t.Errorf("left are %d and %d, want none and 1", r.total("old"), r.total("live"))
		}
	})
}

// More leftovers than one page are found.
func TestManyEmptiedBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 3*listPage + 1
	for i := range n {
		r.rdb.ZAdd(t.Context(), r.k.batches(), z(float64(i), NewID()))
	}
	r.want("FindEmptied", r.s.FindEmptied(t.Context(), "acme", -time.Hour), nil)
	if got := r.rdb.ZCard(t.Context(), r.k.emptied()).Val(); got != n {
		t.Errorf("%d were found, want %d", got, n)
	}
	r.forget(500)
	r.forget(n - 500)
}
