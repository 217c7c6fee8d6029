package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
)

// newRigOn is newRig with a Redis of the test's own.
func newRigOn(t *testing.T, rdb *redis.Client, p extraction.Provider) *rig {
	t.Helper()
	blobs, err := store.OpenBlobs(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	client, err := tasks.NewClient(tasks.Config{Redis: rdb, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	records, err := store.NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{
		t: t, rdb: rdb, blobs: blobs, client: client, records: records, limiter: limiter.New(rdb),
		cfg: Config{
			Redis: rdb, Blobs: blobs, Concurrency: 8, StopTimeout: 2 * time.Second, Lease: time.Second,
			UncertainWindow: 10 * time.Second, Logger: slog.New(slog.DiscardHandler),
			Accounts: []Account{{Name: "acme", Provider: p, MaxInFlight: 100, Deadline: time.Hour, SubmitAttempts: 5}},
		},
	}
}

// startThrough is start for a test in which Redis goes away: its ticks may fail.
func (r *rig) startThrough() {
	w := r.worker()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	wg.Go(func() {
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			_, _ = w.reconcile(ctx, w.accounts["acme"])
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	})
	r.t.Cleanup(func() { cancel(); wg.Wait() })
}

func z(score float64, member string) redis.Z { return redis.Z{Score: score, Member: member} }

func (r *rig) recordKey(id string) string { return "extractq:{acme}:r:" + id }

// hset writes fields of a record behind the scripts' back, which is how a test
// lets time pass.
func (r *rig) hset(id string, pairs ...any) {
	r.t.Helper()
	if err := r.rdb.HSet(context.Background(), r.recordKey(id), pairs...).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// overdue makes reconcile look at an extraction now.
func (r *rig) overdue(id string) {
	r.t.Helper()
	if err := r.rdb.ZAddXX(context.Background(), "extractq:{acme}:due", z(1, id)).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// ago is a moment in the past as records have it.
func ago(d time.Duration) int64 { return time.Now().Add(-d).UnixMilli() }

func (r *rig) worker() *Worker {
	r.t.Helper()
	w, err := New(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

func (r *rig) payload(id string) tasks.Payload {
	r.t.Helper()
	rec := r.get(id)
	return tasks.For(rec, rec.Seq)
}

// polling makes an extraction that was submitted some time ago.
func (r *rig) polling(w *Worker, body string, submitted time.Duration) string {
	r.t.Helper()
	id := r.submit(body)
	if err := w.submit(r.t.Context(), r.payload(id)); err != nil {
		r.t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusInProgress {
		r.t.Fatalf("%s is %s", id, got.Status)
	}
	r.hset(id, "sub", ago(submitted))
	return id
}

// The same task is delivered to many workers at once: one call is made.
func TestDeliveredTwice(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	id := r.submit("x")
	everyone := func(h func(context.Context, tasks.Payload) error) {
		p := r.payload(id)
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				if err := h(context.Background(), p); err != nil {
					t.Errorf("handler: %v", err)
				}
			})
		}
		wg.Wait()
	}
	everyone(w.submit)
	if v.submits != 1 || r.get(id).Status != extraction.StatusInProgress {
		t.Errorf("%d submissions, now %s", v.submits, r.get(id).Status)
	}
	everyone(w.poll)
	if v.polls["v1"] != 1 || r.get(id).Status != extraction.StatusSuccess {
		t.Errorf("%d polls, now %s", v.polls["v1"], r.get(id).Status)
	}
	if _, err := r.blobs.Result(t.Context(), id, r.get(id).ResultSeq); err != nil {
		t.Errorf("the result that the record names: %v", err)
	}
}

// Everything asynq knew is lost: reconcile makes the tasks again.
func TestTasksLost(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	queued, inProgress := r.submit("a"), r.polling(w, "b", time.Second)
	for _, key := range r.rdb.Keys(t.Context(), "asynq:*").Val() {
		r.rdb.Del(t.Context(), key)
	}
	r.start()
	for _, id := range []string{queued, inProgress} {
		if got := r.final(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s ended %s", id, got.Status)
		}
	}
	if v.submits != 2 {
		t.Errorf("%d submissions, want one for each", v.submits)
	}
}

// A scheduled task is deleted by hand: the look after its due time re-issues it.
func TestScheduledTaskDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	w := r.worker()
	id := r.polling(w, "x", time.Second)
	inspector := asynq.NewInspectorFromRedisClient(r.rdb)
	before := r.get(id).Seq
	r.overdue(id)
	a := w.accounts["acme"]
	if got, err := w.reconcile(t.Context(), a); err != nil || got.Waiting != 1 || got.Reissued != 0 {
		t.Errorf("with the task there: %+v, %v, want it left alone", got, err)
	}
	if err := inspector.DeleteTask("acme.poll", tasks.TaskID(id, before)); err != nil {
		t.Fatal(err)
	}
	r.overdue(id)
	if got, err := w.reconcile(t.Context(), a); err != nil || got.Reissued != 1 {
		t.Errorf("without the task: %+v, %v, want it re-issued", got, err)
	}
	if got := r.get(id).Seq; got != before+1 {
		t.Errorf("seq %d, want %d", got, before+1)
	}
	if _, err := inspector.GetTaskInfo("acme.poll", tasks.TaskID(id, before+1)); err != nil {
		t.Errorf("the new task: %v", err)
	}
}

// blocking is a vendor whose submission hangs until the test lets it go, and
// ignores that its context ends, as a frozen process would.
func blocking(v *vendor) (began chan struct{}, letGo func()) {
	began, end := make(chan struct{}, 8), make(chan struct{})
	v.onSubmit = func(n int, _ extraction.Submission) error {
		began <- struct{}{}
		if n == 1 {
			<-end
		}
		return nil
	}
	return began, sync.OnceFunc(func() { close(end) })
}

// The lease is taken away in the middle of a submission whose document has gone
// out. Whoever takes over looks for it at the vendor and does not submit again;
// the first writes nothing when it wakes.
func TestLeaseLapsesInSubmit(t *testing.T) {
	t.Parallel()
	v := newVendor()
	began, letGo := blocking(v)
	defer letGo()
	r := newRig(t, v)
	r.cfg.Lease = time.Hour // No heartbeat comes between.
	first, second := r.worker(), r.worker()
	id := r.submit("x")
	p := r.payload(id)
	done := make(chan error, 1)
	go func() { done <- first.submit(context.Background(), p) }()
	<-began
	if got := r.get(id).Phase; got != store.PhaseSent {
		t.Fatalf("after the last byte the journal says %q", got)
	}
	v.mu.Lock()
	v.ready = []extraction.ReadyItem{{VendorID: "v1", Name: extraction.TokenName("a.pdf", id)}}
	v.mu.Unlock()
	r.hset(id, "lease", ago(time.Second))
	r.overdue(id)
	if got, err := second.reconcile(t.Context(), second.accounts["acme"]); err != nil || got.Reissued != 1 {
		t.Fatalf("reconcile: %+v, %v", got, err)
	}
	for r.get(id).Status != extraction.StatusInProgress {
		seq := r.get(id).Seq
		if err := second.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
		if r.get(id).Seq == seq {
			t.Fatalf("the second worker does not get on: %+v", r.get(id))
		}
	}
	after := r.get(id)
	letGo()
	if err := <-done; err != nil {
		t.Errorf("the first worker: %v", err)
	}
	if got := r.get(id); got.Seq != after.Seq || got.Status != after.Status || got.VendorID != "v1" {
		t.Errorf("the first worker wrote: %+v", got)
	}
	if v.submits != 1 {
		t.Errorf("%d submissions", v.submits)
	}
	if err := second.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusSuccess {
		t.Errorf("ended %s", got.Status)
	}
}

// A worker that lost its lease during a poll writes nothing and leaves no
// result.
func TestLeaseLapsesInPoll(t *testing.T) {
	t.Parallel()
	v := newVendor()
	began, end := make(chan struct{}), make(chan struct{})
	v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
		if n == 1 {
			close(began)
			<-end
		}
		return done(), nil
	}
	r := newRig(t, v)
	r.cfg.Lease = time.Hour
	first, second := r.worker(), r.worker()
	id := r.polling(first, "x", time.Second)
	p := r.payload(id)
	ended := make(chan error, 1)
	go func() { ended <- first.poll(context.Background(), p) }()
	<-began
	r.hset(id, "lease", ago(time.Second))
	r.overdue(id)
	if _, err := second.reconcile(t.Context(), second.accounts["acme"]); err != nil {
		t.Fatal(err)
	}
	if err := second.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	won := r.get(id)
	close(end)
	if err := <-ended; err != nil {
		t.Errorf("the first worker: %v", err)
	}
	if got := r.get(id); got.Status != extraction.StatusSuccess || got.ResultSeq != won.ResultSeq || got.Seq != won.Seq {
		t.Errorf("the loser wrote: %+v, was %+v", got, won)
	}
	if _, err := r.blobs.Result(t.Context(), id, won.ResultSeq); err != nil {
		t.Errorf("the winner's result: %v", err)
	}
	if _, err := r.blobs.Result(t.Context(), id, p.Seq); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the loser's result is still there: %v", err)
	}
}

// guarded is a document's body under a lease that the test ends.
func guarded(last func() error) *guard {
	const body = "document"
	h := &hold{start: time.Now()}
	h.end.Store(int64(time.Hour))
	return &guard{hold: h, body: io.NopCloser(strings.NewReader(body)), left: int64(len(body)), last: last}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		calls := 0
		g := guarded(func() error { calls++; return nil })
		got, err := io.ReadAll(g)
		released, bodyErr := g.settle()
		if string(got) != "document" || err != nil || calls != 1 || !released || bodyErr != nil {
			t.Errorf("read %q, %v, %d journalled, released %v, %v", got, err, calls, released, bodyErr)
		}
	})
	t.Run("after the lease", func(t *testing.T) {
		t.Parallel()
		g := guarded(func() error { t.Error("journalled"); return nil })
		if n, err := g.Read(make([]byte, 3)); n != 3 || err != nil {
			t.Errorf("Read under the lease = %d, %v", n, err)
		}
		g.hold.end.Store(0)
		got, err := io.ReadAll(g)
		released, bodyErr := g.settle()
		if len(got) != 0 || !errors.Is(err, errLeaseLost) || released || !errors.Is(bodyErr, errLeaseLost) {
			t.Errorf("read %q after the lease, %v, released %v, %v", got, err, released, bodyErr)
		}
	})
	t.Run("the lease ends while the journal is written", func(t *testing.T) {
		t.Parallel()
		var g *guard
		g = guarded(func() error { g.hold.end.Store(0); return nil })
		got, err := io.ReadAll(g)
		if released, _ := g.settle(); len(got) != 0 || !errors.Is(err, errLeaseLost) || released {
			t.Errorf("read %q, %v, released %v", got, err, released)
		}
	})
	t.Run("the journal fails", func(t *testing.T) {
		t.Parallel()
		away := errors.New("redis is away")
		g := guarded(func() error { return away })
		var got []byte
		var err error
		for err == nil { // Byte by byte, and on after the error, as a stubborn transport would.
			b := make([]byte, 1)
			var n int
			n, err = g.Read(b)
			got = append(got, b[:n]...)
		}
		if n, again := g.Read(make([]byte, 10)); n != 0 || !errors.Is(again, away) {
			t.Errorf("Read after the error = %d, %v", n, again)
		}
		if released, _ := g.settle(); string(got) != "documen" || !errors.Is(err, away) || released {
			t.Errorf("read %q, %v, released %v, want all but the last byte", got, err, released)
		}
	})
	t.Run("after the call", func(t *testing.T) {
		t.Parallel()
		g := guarded(func() error { t.Error("journalled"); return nil })
		_, _ = g.settle()
		if n, err := g.Read(make([]byte, 100)); n != 0 || err == nil {
			t.Errorf("Read after the call = %d, %v", n, err)
		}
	})
}

// A provider that panics once costs one attempt, and its document is not lost.
func TestProviderPanics(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var polled atomic.Bool
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		if polled.CompareAndSwap(false, true) {
			panic("index out of range")
		}
		return done(), nil
	}
	v.onSubmit = func(n int, s extraction.Submission) error {
		if n == 1 { // After the document has gone out.
			v.mu.Lock()
			v.ready = []extraction.ReadyItem{{VendorID: "lost", Name: s.Name}}
			v.mu.Unlock()
			panic("nil pointer")
		}
		return nil
	}
	r := newRig(t, v)
	id := r.submit("x")
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess || v.submits != 1 || got.VendorID != "lost" {
		t.Errorf("ended %s at %s after %d submissions", got.Status, got.VendorID, v.submits)
	}
}

// nonsense is a provider whose first answers make no sense.
type nonsense struct {
	*vendor
	receipt extraction.Receipt
	times   int
}

func (n *nonsense) Submit(ctx context.Context, s extraction.Submission) (extraction.Receipt, error) {
	got, err := n.vendor.Submit(ctx, s)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.times--; n.times >= 0 {
		n.ready = []extraction.ReadyItem{{VendorID: got.VendorID, Name: s.Name}}
		return n.receipt, err
	}
	return got, err
}

// A submission that is answered without an id is uncertain, not lost.
func TestSubmitWithoutID(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, &nonsense{vendor: v, times: 1})
	id := r.submit("x")
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess || v.submits != 1 || got.VendorID != "v1" {
		t.Errorf("ended %s at %q after %d submissions", got.Status, got.VendorID, v.submits)
	}
}

// An opened upload without an id is opened again, which is free.
type nameless struct {
	uploader
	times int
}

func (u *nameless) Open(ctx context.Context, s extraction.Submission) (extraction.Upload, error) {
	got, err := u.uploader.Open(ctx, s)
	if u.times--; u.times >= 0 {
		got.VendorID = ""
	}
	return got, err
}

func TestOpenWithoutID(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, &nameless{uploader: uploader{v}, times: 1})
	id := r.submit("x")
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess || got.VendorID != "u2" || v.puts != 1 {
		t.Errorf("ended %s at %q with %d puts, want SUCCESS at u2 with 1", got.Status, got.VendorID, v.puts)
	}
}

// Polls whose answer makes no sense are "not yet", and a final status without
// the thing it promises still ends the extraction with something to show.
func TestPollNonsense(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		out  extraction.Outcome
		want extraction.Status
		code extraction.Code
	}{
		"zero":                 {extraction.Outcome{}, extraction.StatusInProgress, ""},
		"an unknown status":    {extraction.Outcome{Status: "FANCY", VendorStatus: "x\x00\n" + strings.Repeat("y", 500), Unknown: true}, extraction.StatusInProgress, ""},
		"queued":               {extraction.Outcome{Status: extraction.StatusQueued}, extraction.StatusInProgress, ""},
		"success, no result":   {extraction.Outcome{Status: extraction.StatusSuccess}, extraction.StatusInProgress, ""},
		"error, no failure":    {extraction.Outcome{Status: extraction.StatusError}, extraction.StatusError, extraction.CodeVendorFailed},
		"canceled, no failure": {extraction.Outcome{Status: extraction.StatusCanceled}, extraction.StatusCanceled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onPoll = func(string, int) (extraction.Outcome, error) { return tt.out, nil }
			r := newRig(t, v)
			w := r.worker()
			id := r.polling(w, "x", time.Second)
			if err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			got := r.get(id)
			if got.Status != tt.want || tt.code != "" && got.Failure.Code != tt.code {
				t.Errorf("now %s %+v, want %s", got.Status, got.Failure, tt.want)
			}
		})
	}
}

// A 404 is "not yet" for a minute, then trouble for five, then the end.
func TestMissing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		submitted, missing time.Duration // Ago; missing 0 for not yet seen.
		want               extraction.Status
		noted              bool
	}{
		"just submitted":        {10 * time.Second, 0, extraction.StatusInProgress, false},
		"the first after it":    {2 * time.Minute, 0, extraction.StatusInProgress, true},
		"missing four minutes":  {time.Hour, 4 * time.Minute, extraction.StatusInProgress, true},
		"missing six minutes":   {time.Hour, 6 * time.Minute, extraction.StatusExpired, true},
		"past the deadline too": {48 * time.Hour, 0, extraction.StatusInProgress, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			gone := true
			v.onPoll = func(string, int) (extraction.Outcome, error) {
				if gone {
					return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindNotFound, Status: 404, Err: errors.New("404")}
				}
				return pending(), nil
			}
			r := newRig(t, v)
			w := r.worker()
			id := r.polling(w, "x", tt.submitted)
			if tt.missing > 0 {
				r.hset(id, "nf", ago(tt.missing))
			}
			if err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			got := r.get(id)
			if got.Status != tt.want || got.MissingSince.IsZero() == tt.noted {
				t.Errorf("now %s, missing since %v, want %s", got.Status, got.MissingSince, tt.want)
			}
			if tt.want == extraction.StatusExpired {
				if got.Failure == nil || got.Failure.Code != extraction.CodeExpired {
					t.Errorf("failure %+v, want expired", got.Failure)
				}
				return
			}
			// One answer ends the row.
			gone = false
			r.hset(id, "sub", ago(time.Minute))
			if err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			if got := r.get(id); !got.MissingSince.IsZero() {
				t.Errorf("missing since %v after an answer", got.MissingSince)
			}
		})
	}
}

// A used-up plan stops submissions and leaves polls.
func TestQuotaLeavesPolls(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(n int, _ extraction.Submission) error {
		if n == 1 {
			return nil
		}
		return &extraction.Error{Op: "submit", Kind: extraction.KindQuota, Status: 429, Err: errors.New("429")}
	}
	r := newRig(t, v)
	w := r.worker()
	inFlight := r.polling(w, "a", time.Second)
	r.start()
	ids := []string{r.submit("b"), r.submit("c")}
	r.await("the pause", func() bool {
		s, err := r.limiter.State(t.Context(), "acme")
		return err == nil && s.Reason == limiter.Quota
	})
	if got := r.final(inFlight); got.Status != extraction.StatusSuccess {
		t.Errorf("in flight ended %s", got.Status)
	}
	r.await("the queues", func() bool {
		i := asynq.NewInspectorFromRedisClient(r.rdb)
		s, err1 := i.GetQueueInfo("acme.submit")
		p, err2 := i.GetQueueInfo("acme.poll")
		return err1 == nil && err2 == nil && s.Paused && !p.Paused
	})
	for _, id := range ids {
		if got := r.get(id); got.Status.Final() || got.SubmitErrors != 0 {
			t.Errorf("%s is %s after %d errors, want it to wait", id, got.Status, got.SubmitErrors)
		}
	}
}

// A Retry-After blocks the account for every worker and counts against nobody.
func TestRetryAfterBlocks(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindRateLimited, RetryAfter: time.Hour / 2, Err: errors.New("429")}
	}
	r := newRig(t, v)
	w, other := r.worker(), r.worker()
	first, second := r.polling(w, "a", time.Second), r.polling(w, "b", time.Second)
	if err := w.poll(t.Context(), r.payload(first)); err != nil {
		t.Fatal(err)
	}
	if err := other.poll(t.Context(), r.payload(second)); err != nil {
		t.Fatal(err)
	}
	if n := v.polls["v1"] + v.polls["v2"]; n != 1 {
		t.Errorf("%d polls, want the second one held back", n)
	}
	for _, id := range []string{first, second} {
		got := r.get(id)
		if wait := time.Until(got.Due); wait < 29*time.Minute || wait > 31*time.Minute || got.PollErrors != 0 || got.Because != extraction.BecauseRate {
			t.Errorf("due in %v because of %s after %d errors, want half an hour because of the rate", wait, got.Because, got.PollErrors)
		}
	}
}

// One slot and twenty documents: never two at the vendor, and all get there.
func TestOneSlot(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var now, most atomic.Int64
	v.onSubmit = func(int, extraction.Submission) error {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return nil
	}
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		now.Add(-1)
		return done(), nil
	}
	r := newRig(t, v)
	r.cfg.Accounts[0].MaxInFlight = 1
	w := r.worker()
	var ids []string
	for range 20 {
		ids = append(ids, r.submit("x"))
	}
	// The steps are driven by hand, as often as it takes: the waits are minutes.
	for range 20 {
		var wg sync.WaitGroup
		for _, id := range ids {
			p := r.payload(id)
			wg.Go(func() {
				if r.get(id).Step == extraction.StepSubmit {
					_ = w.submit(context.Background(), p)
				}
			})
		}
		wg.Wait()
		if n, err := r.records.InFlight(t.Context(), "acme"); err != nil || n > 1 {
			t.Fatalf("%d in flight, %v", n, err)
		}
		for _, id := range ids {
			if r.get(id).Step == extraction.StepPoll {
				_ = w.poll(context.Background(), r.payload(id))
			}
		}
	}
	for _, id := range ids {
		if got := r.get(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s is %s because of %s", id, got.Status, got.Because)
		}
	}
	if most.Load() != 1 || v.submits != 20 {
		t.Errorf("%d at once and %d submissions, want 1 and 20", most.Load(), v.submits)
	}
}

// A worker is stopped while a vendor takes its time with a document: that is no
// failure of the vendor's, and nothing is submitted twice.
func TestStopInSubmit(t *testing.T) {
	t.Parallel()
	for _, sent := range []bool{false, true} {
		t.Run(fmt.Sprintf("sent=%v", sent), func(t *testing.T) {
			t.Parallel()
			v := &slow{vendor: newVendor(), sent: sent, began: make(chan struct{}, 8)}
			r := newRig(t, v)
			r.cfg.StopTimeout = 200 * time.Millisecond
			var ids []string
			for range 6 {
				ids = append(ids, r.submit("x"))
			}
			stop := r.start()
			for range ids {
				<-v.began
			}
			stop()
			if s, err := r.limiter.State(t.Context(), "acme"); err != nil || s.Reason != limiter.Active {
				t.Errorf("the stop paused the account: %+v, %v", s, err)
			}
			if n, err := r.rdb.HLen(t.Context(), "extractq:{acme}:failing").Result(); err != nil || n != 0 {
				t.Errorf("the stop counted as %d failures, %v", n, err)
			}
			v.mu.Lock()
			v.fast = true
			v.mu.Unlock()
			r.start()
			for _, id := range ids {
				if got := r.final(id); got.Status != extraction.StatusSuccess {
					t.Errorf("%s ended %s %+v", id, got.Status, got.Failure)
				}
			}
			want := len(ids)
			if got := len(v.bodies); got != want {
				t.Errorf("%d documents at the vendor, want %d", got, want)
			}
		})
	}
}

// slow is a vendor that answers only when its context ends, until it is fast.
// With sent it has the document by then and lists it.
type slow struct {
	*vendor
	sent, fast bool
	began      chan struct{}
}

func (v *slow) Submit(ctx context.Context, s extraction.Submission) (extraction.Receipt, error) {
	v.mu.Lock()
	fast := v.fast
	v.mu.Unlock()
	if fast {
		return v.vendor.Submit(ctx, s)
	}
	if v.sent {
		got, err := v.vendor.Submit(ctx, s)
		if err != nil {
			return got, err
		}
		v.mu.Lock()
		v.ready = append(v.ready, extraction.ReadyItem{VendorID: got.VendorID, Name: s.Name})
		v.mu.Unlock()
	}
	v.began <- struct{}{}
	<-ctx.Done()
	return extraction.Receipt{}, &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: v.sent, Err: ctx.Err()}
}

// While the vendor cannot be asked whether it has a lost submission, nothing is
// decided about it: however often asking fails, and while others succeed.
func TestLostAnswerAndNoList(t *testing.T) {
	t.Parallel()
	v := &listless{vendor: newVendor()}
	v.onSubmit = func(n int, _ extraction.Submission) error {
		if n == 1 {
			return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
		}
		return nil
	}
	r := newRig(t, v)
	r.cfg.Accounts[0].SubmitAttempts = 2
	w := r.worker()
	lost := r.submit("lost")
	for i := range 8 {
		if err := w.submit(t.Context(), r.payload(lost)); err != nil {
			t.Fatal(err)
		}
		if got := r.get(lost); got.Status.Final() {
			t.Fatalf("after %d steps: %s %+v, want it undecided", i+1, got.Status, got.Failure)
		}
		other := r.polling(w, "other", time.Second)
		if err := w.poll(t.Context(), r.payload(other)); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.get(lost); got.Phase != store.PhaseUncertain {
		t.Errorf("now in phase %q", got.Phase)
	}
}

// listless is a vendor whose ready list is out of order.
type listless struct{ *vendor }

func (v *listless) Ready(context.Context, extraction.ReadyQuery) (extraction.ReadyPage, error) {
	return extraction.ReadyPage{}, &extraction.Error{Op: "ready", Kind: extraction.KindTransient, Status: 500, Err: errors.New("500")}
}

// The document of an opened upload may be at the vendor: polls that fail do not
// end the extraction.
func TestOpenedAndNoPolls(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPut = func(n int, body io.Reader) error {
		if n > 1 {
			return nil
		}
		_, _ = io.ReadAll(body)
		return &extraction.Error{Op: "upload", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	v.onPoll = func(id string, _ int) (extraction.Outcome, error) {
		if id == "u1" {
			return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindTransient, Status: 500, Err: errors.New("500")}
		}
		return done(), nil
	}
	r := newRig(t, uploader{v})
	r.cfg.Accounts[0].SubmitAttempts = 2
	w := r.worker()
	lost := r.submit("lost")
	for i := range 8 {
		if err := w.submit(t.Context(), r.payload(lost)); err != nil {
			t.Fatal(err)
		}
		if got := r.get(lost); got.Status.Final() {
			t.Fatalf("after %d steps: %s %+v, want it undecided", i+1, got.Status, got.Failure)
		}
		other := r.polling(w, "other", time.Second)
		if err := w.poll(t.Context(), r.payload(other)); err != nil {
			t.Fatal(err)
		}
	}
}

// What has outlived its retention goes: first the document, then the rest.
func TestExpiry(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	w := r.worker()
	a := w.accounts["acme"]
	id := r.polling(w, "x", time.Second)
	if err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	seq := r.get(id).ResultSeq
	document := func() error {
		body, err := r.blobs.OpenDocument(t.Context(), id)
		if err == nil {
			_ = body.Close()
		}
		return err
	}
	if _, err := w.reconcile(t.Context(), a); err != nil || document() != nil {
		t.Fatalf("before the time: %v, document %v", err, document())
	}
	r.overdue(id) // The document's time has come.
	if _, err := w.reconcile(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := document(); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the document after its retention: %v", err)
	}
	if _, err := r.blobs.Result(t.Context(), id, seq); err != nil {
		t.Errorf("the result before its retention: %v", err)
	}
	due, err := r.rdb.ZScore(t.Context(), "extractq:{acme}:due", id).Result()
	if err != nil || time.Until(time.UnixMilli(int64(due))) < 166*time.Hour {
		t.Errorf("looked at again at %v, %v, want at the record's end", time.UnixMilli(int64(due)), err)
	}
	r.hset(id, "exp", ago(time.Second))
	r.overdue(id)
	if got, err := w.reconcile(t.Context(), a); err != nil || got.Erased != 1 {
		t.Fatalf("reconcile at the end: %+v, %v", got, err)
	}
	if _, err := r.records.Get(t.Context(), "acme", id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the record after its retention: %v", err)
	}
	if _, err := r.blobs.Result(t.Context(), id, seq); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the result after its retention: %v", err)
	}
	if n, err := r.rdb.ZCard(t.Context(), "extractq:{acme}:due").Result(); err != nil || n != 0 {
		t.Errorf("%d due entries left, %v", n, err)
	}
}

// The server that a failed extraction's document stays on keeps it as long as
// the record.
func TestFailedKeepsDocument(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		return extraction.Outcome{Status: extraction.StatusError}, nil
	}
	r := newRig(t, v)
	w := r.worker()
	id := r.polling(w, "x", time.Second)
	if err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	due, err := r.rdb.ZScore(t.Context(), "extractq:{acme}:due", id).Result()
	if err != nil || time.Until(time.UnixMilli(int64(due))) < 167*time.Hour {
		t.Errorf("first looked at at %v, %v, want at the record's end", time.UnixMilli(int64(due)), err)
	}
}

// Redis crashes in the middle of everything and comes back: all ends, once.
func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Durable()...)
	v := newVendor()
	v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
		if n < 2 {
			return pending(), nil
		}
		return done(), nil
	}
	listed := make(map[string]bool)
	v.onSubmit = func(n int, s extraction.Submission) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if listed[s.Name] {
			t.Errorf("%s was submitted twice", s.Name)
		}
		listed[s.Name] = true
		v.ready = append(v.ready, extraction.ReadyItem{VendorID: fmt.Sprintf("v%d", n), Name: s.Name})
		return nil
	}
	r := newRigOn(t, server.Client(), v)
	var ids []string
	for range 30 {
		ids = append(ids, r.submit("x"))
	}
	r.startThrough()
	for i := range 3 {
		r.await("some progress", func() bool {
			v.mu.Lock()
			defer v.mu.Unlock()
			return v.submits > i*10 || len(v.polls) > 0
		})
		server.Restart()
	}
	for _, id := range ids {
		if got := r.final(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s ended %s %+v", id, got.Status, got.Failure)
		}
	}
	if n, err := r.records.InFlight(t.Context(), "acme"); err != nil || n != 0 {
		t.Errorf("%d slots are still held, %v", n, err)
	}
	counts := r.rdb.HGetAll(t.Context(), "extractq:{acme}:bn:b1").Val()
	if counts["SUCCESS"] != "30" {
		t.Errorf("the batch counts %v, want 30 SUCCESS", counts)
	}
}

// The document of an upload whose answer was lost is at the vendor, and the
// result cannot be stored: what is repeated is the question, not the upload.
func TestResumedUploadAndNoRoomForTheResult(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPut = func(n int, body io.Reader) error {
		if n > 1 {
			return nil
		}
		_, _ = io.ReadAll(body)
		return &extraction.Error{Op: "upload", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	r := newRig(t, uploader{v})
	w := r.worker()
	id := r.submit("the document")
	if err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	// A folder where the result's file must go fails its writing.
	blocked := fmt.Sprintf("%s/%s/%d", r.dir, id, r.get(id).Seq)
	if err := os.MkdirAll(blocked+"/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusInProgress || got.Step != extraction.StepPoll {
		t.Errorf("now %s, next %s, want IN_PROGRESS and a poll", got.Status, got.Step)
	}
	if err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusSuccess || v.opened != 1 || v.puts != 1 {
		t.Errorf("now %s with %d opened and %d puts, want SUCCESS with 1 and 1", got.Status, v.opened, v.puts)
	}
}
