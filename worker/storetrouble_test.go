package worker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// Log lines that are said once.
const (
	storeFailsLine = "document store fails: nothing is submitted or polled"
	storeWorksLine = "document store works again"
)

// paired makes the rig's store the one of its Redis, which the store insists on from then on.
func (r *rig) paired() {
	r.t.Helper()
	r.pair(r.blobs)
}

func (r *rig) pair(b *store.Blobs) {
	r.t.Helper()
	if err := store.Pair(r.t.Context(), r.records, b, store.Terms{}); err != nil {
		r.t.Fatal(err)
	}
	if err := b.Hold(r.t.Context(), r.records); err != nil {
		r.t.Fatal(err)
	}
}

// calls are all that the vendor was asked to do.
func (v *vendor) calls() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.submits
	for _, polls := range v.polls {
		n += polls
	}
	return n
}

func (r *rig) state() limiter.State {
	r.t.Helper()
	s, err := r.limiter.State(context.Background(), "acme")
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// While the store fails, no worker calls the vendor but for what was under way; it is said
// once, and when it works again all ends well and nothing was paid twice.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	testStoreFails(t, func(r *rig) (breaks func(), mends func()) {
		return func() { rename(r.t, r.dir, r.dir+"-away") }, func() { rename(r.t, r.dir+"-away", r.dir) }
	})
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func testStoreFails(t *testing.T, how func(*rig) (breaks, mends func())) {
	v := newVendor()
	var finished atomic.Bool
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		if finished.Load() {
			return done(), nil
		}
		return pending(), nil
	}
	r := newRig(t, v)
	breaks, mends := how(r)
	r.paired()
	log := new(said)
	r.cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	r.cfg.StoreWait = 200 * time.Millisecond
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = r.submit(fmt.Sprintf("document %d", i))
	}
	r.start()
	r.start()
	r.await("all to be at the vendor", func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.bodies) == len(ids)
	})
	breaks()
	finished.Store(true)
	r.await("the trouble to be seen", func() bool { return !r.state().StoreSince.IsZero() })
	seen := v.calls()
	r.await("some probes", func() bool {
		n, err := r.rdb.HGet(t.Context(), "extractq:{acme}:account", "store_tries").Int()
		return err == nil && n >= 4
	})
	if most := 2 * r.cfg.Concurrency; v.calls()-seen > most {
		t.Errorf("%d calls while the store failed, want at most %d, which were under way", v.calls()-seen, most)
	}
	waiting := 0
	for _, id := range ids {
		got := r.get(id)
		if got.Trouble == nil || got.Trouble.Code != extraction.CodeStoreUnavailable {
			continue
		}
		waiting++
		if got.Because != extraction.BecauseStore || got.Status.Final() {
			t.Errorf("%s is %s because of %s", id, got.Status, got.Because)
		}
	}
	if waiting == 0 {
		t.Error("no extraction says that the store fails")
	}
	if s := r.state(); s.Reason != limiter.Active || s.LastError.Code != "store_unavailable" || !s.LastError.Over.IsZero() {
		t.Errorf("the account is %q with %+v", s.Reason, s.LastError)
	}
	mends()
	for _, id := range ids {
		if got := r.final(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s is %s %+v", id, got.Status, got.Failure)
		} else if got.Trouble != nil && got.Trouble.OverAt.IsZero() {
			t.Errorf("%s still says %+v", id, got.Trouble)
		}
	}
	if len(v.bodies) != len(ids) {
		t.Errorf("%d documents were paid for, want %d", len(v.bodies), len(ids))
	}
	if s := r.state(); s.LastError.Over.IsZero() || !s.StoreSince.IsZero() {
		t.Errorf("it is not over: %+v", s)
	}
	if begins, ends := log.times(storeFailsLine), log.times(storeWorksLine); begins != 1 || ends != 1 {
		t.Errorf("the beginning is said %d times and the end %d times, want once each", begins, ends)
	}
}

// What the store cannot take of one document holds up no other.
func TestStoreFailsForOne(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var finished atomic.Bool
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		if finished.Load() {
			return done(), nil
		}
		return pending(), nil
	}
	r := newRig(t, v)
	r.paired()
	r.cfg.StoreWait = 200 * time.Millisecond
	w := r.worker()
	bad, good := r.polling(w, "bad", time.Minute), r.polling(w, "good", time.Minute)
	for seq := range 20 { // Where its result is to go something else is.
		if err := os.MkdirAll(filepath.Join(r.dir, bad, fmt.Sprint(seq), "else"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	finished.Store(true)
	r.start()
	if got := r.final(good); got.Status != extraction.StatusSuccess {
		t.Errorf("the other is %s", got.Status)
	}
	r.await("trouble with the one", func() bool { return r.get(bad).Trouble != nil })
	if got := r.get(bad); got.Trouble.Code != extraction.CodeStoreUnavailable || got.Because != extraction.BecauseStore {
		t.Errorf("%s: %+v because of %s", got.Status, got.Trouble, got.Because)
	}
	if s := r.state(); !s.StoreSince.IsZero() {
		t.Error("the account waits for the store")
	}
	for seq := range 20 {
		if err := os.RemoveAll(filepath.Join(r.dir, bad, fmt.Sprint(seq))); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.final(bad); got.Status != extraction.StatusSuccess {
		t.Errorf("it is %s %+v", got.Status, got.Failure)
	}
}

// A worker whose own store is gone leaves the account to one whose store works.
func TestStoreFailsForOneWorker(t *testing.T) {
	t.Parallel()
	v := newVendor()
	rdb := redistest.Client(t)
	r := newRigOn(t, rdb, v)
	r.cfg.StoreWait = time.Second
	r.paired()
	link := r.dir + "-link"
	if err := os.Symlink(r.dir, link); err != nil {
		t.Fatal(err)
	}
	blobs, err := store.OpenBlobs(t.Context(), "file://"+link)
	if err != nil {
		t.Fatal(err)
	}
	r.pair(blobs)
	other := *r
	log := new(said)
	other.cfg.Blobs, other.cfg.Concurrency, other.cfg.Logger = blobs, 1, slog.New(slog.NewTextHandler(log, nil))
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	other.start()
	alone := r.submit("while only the one without a store works")
	r.await("the account to wait for the store", func() bool { return !r.state().StoreSince.IsZero() })
	r.start()
	ids := []string{alone}
	for i := range 10 {
		ids = append(ids, r.submit(fmt.Sprint(i)))
	}
	for _, id := range ids {
		if got := r.final(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s is %s %+v", id, got.Status, got.Failure)
		}
	}
	if len(v.bodies) != len(ids) {
		t.Errorf("%d documents were paid for, want %d", len(v.bodies), len(ids))
	}
	if n := log.times("for this worker"); n > 1 {
		t.Errorf("the worker without a store says it %d times", n)
	}
}
