package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
)

// silence loses calls of record scripts: from the nth on, some in a row either do not
// reach Redis or run with their answers lost.
type silence struct {
	mu     sync.Mutex
	calls  int // Of record scripts so far.
	from   int
	count  int
	answer bool // The script runs, and its answer is lost.
}

var errSilence = errors.New("connection reset")

func (s *silence) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *silence) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s *silence) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		args := cmd.Args()
		if len(args) < 4 || !strings.HasPrefix(fmt.Sprint(args[0]), "eval") || !strings.Contains(fmt.Sprint(args[3]), "}:r:") {
			return next(ctx, cmd)
		}
		s.mu.Lock()
		s.calls++
		lost := s.calls >= s.from && s.calls < s.from+s.count
		s.mu.Unlock()
		if !lost {
			return next(ctx, cmd)
		}
		if s.answer {
			if err := next(ctx, cmd); redis.HasErrorPrefix(err, "NOSCRIPT") { // It has not run: its text is sent next.
				s.mu.Lock()
				defer s.mu.Unlock()
				s.calls--
				return err
			}
		}
		cmd.SetErr(errSilence)
		return errSilence
	}
}

// drive carries an extraction to its end: it runs the step that is due, and reissues the
// step of a lease that was not given back, as if the time for both had come.
func (r *rig) drive(w *Worker, id string) {
	r.t.Helper()
	for range 40 {
		rec := r.get(id)
		if rec.Status.Final() {
			return
		}
		if !rec.WaitingSince.IsZero() {
			r.hset(id, "wait", ago(time.Minute))
		}
		if rec.Owner != "" {
			r.hset(id, "lease", ago(time.Second))
			r.overdue(id)
			_, _ = w.reconcile(r.t.Context(), w.accounts["acme"])
			continue
		}
		run := w.poll
		if rec.Step == extraction.StepSubmit {
			run = w.submit
		}
		_, _ = run(r.t.Context(), r.payload(id))
	}
	r.t.Errorf("%s is not final: %+v", id, r.get(id))
}

// Whichever script's answer is lost, one or several in a row, and whether it ran or not:
// the document is submitted once, and its result is fetched.
func TestEveryAnswerLost(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"one call", "two steps"} {
		for _, ran := range []bool{true, false} {
			for _, count := range []int{1, 2, 3} {
				t.Run(fmt.Sprintf("%s, ran %v, %d in a row", provider, ran, count), func(t *testing.T) {
					t.Parallel()
					rdb := redistest.Client(t)
					for from := 1; from <= 12; from++ {
						lose(t, rdb, provider, &silence{from: from, count: count, answer: ran})
					}
				})
			}
		}
	}
}

// searchable is a vendor of one kind that lists what it has, and has finished it at once.
func searchable(kind string) (*vendor, extraction.Provider) {
	v := newVendor()
	v.onReady = func() {
		v.ready = nil
		for id := range v.bodies {
			v.ready = append(v.ready, extraction.ReadyItem{VendorID: id, Name: v.names[id]})
		}
	}
	v.onPoll = func(id string, _ int) (extraction.Outcome, error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if _, ok := v.bodies[id]; !ok {
			out := pending()
			out.AwaitsDocument = true
			return out, nil
		}
		return done(), nil
	}
	if kind == "two steps" {
		return v, uploader{v}
	}
	return v, v
}

func lose(t *testing.T, rdb *redis.Client, provider string, s *silence) {
	t.Helper()
	if err := rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	v, p := searchable(provider)
	r := newRigOn(t, rdb, p)
	id := r.submit("the document")
	lossy := redis.NewClient(rdb.Options())
	defer func() { _ = lossy.Close() }()
	lossy.AddHook(s)
	var log lockedBuffer
	r.cfg.Redis, r.cfg.Logger = lossy, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
	w := r.worker()
	r.drive(w, id)
	if got := r.get(id); got.Status != extraction.StatusSuccess || len(v.bodies) != 1 {
		t.Errorf("call %d lost: %s (%+v), submitted %d times, want SUCCESS after 1", s.from, got.Status, got.Failure, len(v.bodies))
	}
	if log.String() != "" {
		t.Errorf("call %d lost: logged %s", s.from, log.String())
	}
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Redis is away from the vendor's answer until the process stops: the id that is in no
// record is in the log, and in the document store, from where the next worker has it.
func TestVendorIDInLogWhenTheProcessStops(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	id := r.submit("the document")
	s := &silence{}
	lossy := redis.NewClient(r.rdb.(*redis.Client).Options())
	t.Cleanup(func() { _ = lossy.Close() })
	lossy.AddHook(s)
	var log lockedBuffer
	r.cfg.Redis, r.cfg.Logger = lossy, slog.New(slog.NewTextHandler(&log, nil))
	w := r.worker()
	stopping, stop := context.WithCancel(t.Context())
	w.base = stopping
	v.onSubmit = func(int, extraction.Submission) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.from, s.count = s.calls+1, 1<<30
		time.AfterFunc(200*time.Millisecond, stop)
		return nil
	}
	if _, err := w.submit(t.Context(), r.payload(id)); err == nil {
		t.Error("submit reports no trouble with Redis")
	}
	if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "vendor_id=v1") ||
		!strings.Contains(got, id) {
		t.Errorf("the log does not name the vendor id: %s", got)
	}
	r.cfg.Redis = r.rdb // The vendor lists nothing.
	r.drive(r.worker(), id)
	if got := r.get(id); got.Status != extraction.StatusSuccess || got.VendorID != "v1" || len(v.bodies) != 1 {
		t.Errorf("%s (%+v) as %q, submitted %d times", got.Status, got.Failure, got.VendorID, len(v.bodies))
	}
}

// unsent takes back what the document store recorded about a submission, as the search does
// that decides to submit again.
func (r *rig) unsent(id string) {
	r.t.Helper()
	sent, err := r.blobs.Sent(r.t.Context(), id)
	if err == nil {
		err = r.blobs.DropSent(r.t.Context(), id, sent)
	}
	if err != nil {
		r.t.Error(err)
	}
}

// The lease is lost while the vendor answers, and another worker has begun to submit the
// document again: the answer is saved, and the second submission does not reach its end.
func TestLateAnswerStopsTheSecondSubmission(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	r.cfg.Accounts[0].Resubmit = true
	id := r.submit("the document")
	w, other := r.worker(), r.worker()
	answer, second := make(chan struct{}), make(chan error, 1)
	v.onSubmit = func(n int, _ extraction.Submission) error {
		if n == 1 {
			// The search was over before this answer came, and decided to submit again.
			r.hset(id, "seq", r.get(id).Seq+1)
			r.rdb.HDel(t.Context(), r.recordKey(id), "own", "lease", "ph", "mk", "rn")
			r.unsent(id)
			go func() { _, err := other.submit(t.Context(), r.payload(id)); second <- err }()
			select {
			case <-answer:
			case err := <-second:
				t.Errorf("the second submission ended before its document was read: %v; %+v", err, r.get(id))
				second <- err
			}
		}
		return nil
	}
	v.onBody = func(n int) {
		if n == 2 {
			close(answer)
			r.await("the first answer to be saved", func() bool { return r.get(id).VendorID != "" })
		}
	}
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	got := r.get(id)
	if got.VendorID != "v1" || got.Step != extraction.StepPoll || len(v.bodies) != 1 {
		t.Errorf("follows %q, next %s, %d submitted, want v1, poll, 1", got.VendorID, got.Step, len(v.bodies))
	}
}
