package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

// snapshots keeps what Redis held after each call of a record script.
type snapshots struct {
	silence

	rdb *redis.Client // Without this hook.
	mu  sync.Mutex
	all []map[string]string
}

func (s *snapshots) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if args := cmd.Args(); len(args) > 3 && strings.HasPrefix(fmt.Sprint(args[0]), "eval") && strings.Contains(fmt.Sprint(args[3]), "}:r:") {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.all = append(s.all, dump(ctx, s.rdb))
		}
		return err
	}
}

// dump is everything in Redis, by key.
func dump(ctx context.Context, rdb *redis.Client) map[string]string {
	out := map[string]string{}
	for it := rdb.Scan(ctx, 0, "*", 1000).Iterator(); it.Next(ctx); {
		if value := rdb.Dump(ctx, it.Val()).Val(); value != "" { // It may have expired meanwhile.
			out[it.Val()] = value
		}
	}
	return out
}

// restore makes Redis hold what it held then, and nothing else.
func restore(t *testing.T, rdb *redis.Client, keys map[string]string) {
	t.Helper()
	if err := rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for key, value := range keys {
		if err := rdb.Restore(t.Context(), key, 0, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// Redis goes back to any moment of a document's way to its end, as after a failover to a
// replica that lagged: what was paid for is found again, and the document is not submitted
// a second time.
func TestRedisGoesBackInTime(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"one call", "two steps"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			v, p := searchable(provider)
			r := newRigOn(t, rdb, p)
			id := r.submit("the document")
			taken := &snapshots{rdb: rdb, all: []map[string]string{dump(t.Context(), rdb)}}
			hooked := redis.NewClient(rdb.Options())
			t.Cleanup(func() { _ = hooked.Close() })
			hooked.AddHook(taken)
			r.cfg.Redis = hooked
			r.drive(r.worker(), id)

			r.cfg.Redis = rdb
			bodies := maps.Clone(v.bodies)
			for i, keys := range taken.all {
				restore(t, rdb, keys)
				r.drive(r.worker(), id)
				if got := r.get(id); got.Status != extraction.StatusSuccess || len(v.bodies) != len(bodies) {
					t.Fatalf("back at moment %d of %d: %s (%+v), submitted %d times", i, len(taken.all), got.Status, got.Failure, len(v.bodies))
				}
			}
			if len(taken.all) < 5 || len(bodies) != 1 {
				t.Errorf("%d moments, and the vendor has %v", len(taken.all), bodies)
			}
		})
	}
}

// gate stops its client after the first call that journals a phase, until it is opened.
type gate struct {
	silence

	phase         string
	once          sync.Once
	reached, open chan struct{}
}

func newGate(phase string) *gate {
	return &gate{phase: phase, reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		args := cmd.Args()
		for i := 1; i < len(args); i++ {
			if fmt.Sprint(args[i-1]) == "ph" && fmt.Sprint(args[i]) == g.phase {
				g.once.Do(func() { close(g.reached); <-g.open })
			}
		}
		return err
	}
}

// A worker stands still between its last word to Redis and that to the document store, for
// less than its lease. Redis goes back to before that, and another worker takes the same
// document: one of the two sends it.
func TestTwoSendTheSameAttempt(t *testing.T) {
	t.Parallel()
	for provider, phase := range map[string]string{"one call": "sent", "two steps": "opened"} {
		for _, wakes := range []string{"before the other sends", "after the other has sent"} {
			t.Run(provider+", wakes "+wakes, func(t *testing.T) {
				t.Parallel()
				rdb := redistest.Client(t)
				v, p := searchable(provider)
				r := newRigOn(t, rdb, p)
				r.cfg.Lease = time.Minute
				id := r.submit("the document")
				before := dump(t.Context(), rdb)
				begin := func() (*gate, chan error) {
					g, ended := newGate(phase), make(chan error, 1)
					hooked := redis.NewClient(rdb.Options())
					t.Cleanup(func() { _ = hooked.Close() })
					hooked.AddHook(g)
					r.cfg.Redis = hooked
					w := r.worker()
					go func() { _, err := w.submit(context.Background(), r.payload(id)); ended <- err }()
					<-g.reached
					return g, ended
				}
				end := func(g *gate, ended chan error) {
					close(g.open)
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}
				first, firstEnds := begin()
				restore(t, rdb, before)
				second, secondEnds := begin()
				if wakes == "after the other has sent" {
					first, firstEnds, second, secondEnds = second, secondEnds, first, firstEnds
				}
				end(first, firstEnds)
				end(second, secondEnds)
				r.cfg.Redis = rdb
				r.drive(r.worker(), id)
				if got := r.get(id); got.Status != extraction.StatusSuccess || len(v.bodies) != 1 {
					t.Errorf("%s (%+v), submitted %d times", got.Status, got.Failure, len(v.bodies))
				}
			})
		}
	}
}

// Redis goes back to before the end, and the vendor has dropped its result meanwhile: the
// one in the document store is taken, which no sweep has deleted.
func TestStoredResultOutlivesTheVendors(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	v := newVendor()
	r := newRigOn(t, rdb, v)
	r.paired()
	w := r.worker()
	id := r.polling(w, "the document", 10*time.Minute)
	before := dump(t.Context(), rdb)
	r.drive(w, id)
	restore(t, rdb, before)
	if _, err := store.DeleteUnreferenced(t.Context(), r.records, r.blobs, 0, time.Hour); err != nil {
		t.Fatal(err)
	}
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindNotFound, Err: errors.New("404")}
	}
	r.hset(id, "nf", ago(10*time.Minute))
	r.drive(w, id)
	got := r.get(id)
	if got.Status != extraction.StatusSuccess || r.blobs.CheckResult(t.Context(), got) != nil {
		t.Errorf("%s (%+v), its result: %v", got.Status, got.Failure, r.blobs.CheckResult(t.Context(), got))
	}
}

// Redis goes back to before the end of a repetition that had taken over the first extraction,
// and the vendor has dropped that: its stored result is taken, and nothing is paid again.
func TestStoredResultOfARepetition(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) { return pending(), nil }
	r := newRigOn(t, rdb, v)
	w := r.worker()
	old := r.late(w)
	e, err := r.client.Retry(t.Context(), "acme", old, false)
	if err != nil {
		t.Fatal(err)
	}
	before := dump(t.Context(), rdb)
	v.onPoll = nil
	r.drive(w, e.ID)
	restore(t, rdb, before)
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindNotFound, Err: errors.New("404")}
	}
	r.hset(e.ID, "nf", ago(10*time.Minute))
	r.drive(w, e.ID)
	if got := r.get(e.ID); got.Status != extraction.StatusSuccess || r.blobs.CheckResult(t.Context(), got) != nil || v.submits != 1 {
		t.Errorf("%s (%+v), submitted %d times", got.Status, got.Failure, v.submits)
	}
}

// The vendor lists a document under a second id: that is said, and is no foreign one.
func TestDuplicateAtTheVendor(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	first := r.submit("first")
	w := r.worker()
	r.drive(w, first)
	second := r.submit("second")
	v.onSubmit = func(int, extraction.Submission) error { return gateway("502") }
	v.ready = []extraction.ReadyItem{{VendorID: "again", Name: v.names["v1"]}}
	var log lockedBuffer
	r.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	var counted int
	r.cfg.Duplicate = func(string) { counted++ }
	w = r.worker()
	for range 3 {
		_, _ = w.submit(t.Context(), r.payload(second))
	}
	if counted != 1 || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "again") {
		t.Errorf("counted %d, logged %s", counted, log.String())
	}
	state, err := r.limiter.State(t.Context(), "acme")
	if err != nil || !strings.Contains(state.LastError.Message, first) || !strings.Contains(state.LastError.Message, "again") {
		t.Errorf("the account's last error is %+v, %v", state.LastError, err)
	}
}

// What Redis has lost altogether is made anew from the document store.
func TestRecover(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	v := newVendor()
	r := newRigOn(t, rdb, v)
	paid := r.submit("paid for")
	w := r.worker()
	if _, err := w.submit(t.Context(), r.payload(paid)); err != nil {
		t.Fatal(err)
	}
	waiting := r.submit("waiting")
	if err := rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.records.SetWindow(t.Context(), "acme", store.Window{Released: 1000, InFlight: 1000}); err != nil {
		t.Fatal(err)
	}
	var lost []string
	err := r.records.Lost(t.Context(), r.blobs, 0, func(a store.Accepted) error {
		lost = append(lost, a.ID)
		_, err := r.client.Recover(t.Context(), a)
		return err
	})
	if err != nil || len(lost) != 2 {
		t.Fatalf("recovered %v, %v", lost, err)
	}
	r.cfg.Redis = rdb
	w = r.worker()
	for _, id := range []string{paid, waiting} {
		r.drive(w, id)
		if got := r.get(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s is %s: %+v", id, got.Status, got.Failure)
		}
	}
	if len(v.bodies) != 2 {
		t.Errorf("the vendor has %v", v.bodies)
	}
	if err := r.records.Lost(t.Context(), r.blobs, 0, func(a store.Accepted) error { t.Errorf("%s is still lost", a.ID); return nil }); err != nil {
		t.Error(err)
	}
}

// A note that is damaged keeps no other extraction from being recovered.
func TestRecoverBesideDamage(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	r := newRigOn(t, rdb, newVendor())
	bad, good := r.submit("one"), r.submit("two")
	if err := os.WriteFile(filepath.Join(r.dir, bad, "accepted.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := r.records.Lost(t.Context(), r.blobs, 0, func(a store.Accepted) error { got = append(got, a.ID); return nil })
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), bad) || !slices.Equal(got, []string{good}) {
		t.Errorf("lost are %v, %v", got, err)
	}
}

// The vendor answers when Redis has lost the record of the submission: it is made anew with
// the vendor's id, and says so.
func TestAnswerForALostRecord(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	v := newVendor()
	r := newRigOn(t, rdb, v)
	id := r.submit("the document")
	v.onSubmit = func(int, extraction.Submission) error { return rdb.FlushDB(t.Context()).Err() }
	var log lockedBuffer
	r.cfg.Redis, r.cfg.Logger = rdb, slog.New(slog.NewTextHandler(&log, nil))
	w := r.worker()
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "made anew") || !strings.Contains(log.String(), id) {
		t.Errorf("logged %s", log.String())
	}
	r.drive(w, id)
	if got := r.get(id); got.Status != extraction.StatusSuccess || len(v.bodies) != 1 {
		t.Errorf("%s (%+v), submitted %d times", got.Status, got.Failure, len(v.bodies))
	}
}
