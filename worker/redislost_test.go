package worker

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

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
	id := r.submit("x")
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.bodies) != 0 {
		t.Errorf("%d documents were submitted", len(v.bodies))
	}
	if n := log.times(message); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}
