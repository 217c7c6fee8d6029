package worker

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

// said is a log that can be read while it is written.
type said struct {
	mu  sync.Mutex
	out strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

func (s *said) times(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.out.String(), text)
}

// A Redis that comes back without its data stops all submissions, and one that is only
// away for a while does not.
func TestRedisLosesItsData(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	v := newVendor()
	r := newRigOn(t, server.Client(), v)
	if err := store.Pair(t.Context(), r.records, r.blobs, store.Terms{}); err != nil {
		t.Fatal(err)
	}
	log := new(said)
	r.cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	r.cfg.Tick = 20 * time.Millisecond
	w := r.worker()
	r.run(w)
	server.Kill()
	if err := store.CheckPair(t.Context(), r.records, r.blobs); err == nil || errors.Is(err, store.ErrRedisLost) || r.blobs.RedisLost() {
		t.Errorf("a Redis that is away: %v, lost %v", err, r.blobs.RedisLost())
	}
	server.Restart()
	const message = "nothing is submitted any more"
	r.await("the worker says that the data is lost", func() bool { return log.times(message) > 0 })
	if err := store.CheckPair(t.Context(), r.records, r.blobs); !errors.Is(err, store.ErrRedisLost) {
		t.Errorf("CheckPair = %v, want %v", err, store.ErrRedisLost)
	}
	// As another worker would, that has not noticed yet.
	if err := r.records.SetWindow(t.Context(), "acme", store.Window{Released: 1000, InFlight: 1000}); err != nil {
		t.Fatal(err)
	}
	id := r.submit("x")
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if n := v.calls(); n != 0 {
		t.Errorf("the vendor was called %d times", n)
	}
	if n := log.times(message); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	if got := r.get(id); got.Because != extraction.BecauseStore || got.Trouble == nil || got.Trouble.Code != extraction.CodeStoreUnavailable {
		t.Errorf("it waits because of %s: %+v", got.Because, got.Trouble)
	}

	// Another process is told to go on without the data.
	other, err := store.OpenBlobs(t.Context(), "file://"+r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Pair(t.Context(), r.records, other, store.Terms{AcceptEmpty: true}); err != nil {
		t.Fatal(err)
	}
	r.await("the worker says that they belong together", func() bool { return log.times("belong together again") > 0 })
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if len(v.bodies) != 1 || r.get(id).VendorID == "" {
		t.Errorf("%d documents were submitted, and it is %s", len(v.bodies), r.get(id).Status)
	}
}
