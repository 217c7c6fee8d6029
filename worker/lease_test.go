package worker

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// The same task is delivered to many workers at once: one call is made.
func TestDeliveredTwice(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	id := r.submit("x")
	everyone := func(h func(context.Context, queue.Payload) (*queue.Outcome, error)) {
		p := r.payload(id)
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				if _, err := h(context.Background(), p); err != nil {
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
	if _, err := r.blobs.Result(t.Context(), id, r.get(id).ResultSeq, ""); err != nil {
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
	if err := inspector.DeleteTask("acme.poll", queue.TaskID(id, before)); err != nil {
		t.Fatal(err)
	}
	r.overdue(id)
	if got, err := w.reconcile(t.Context(), a); err != nil || got.Reissued != 1 {
		t.Errorf("without the task: %+v, %v, want it re-issued", got, err)
	}
	if got := r.get(id).Seq; got != before+1 {
		t.Errorf("seq %d, want %d", got, before+1)
	}
	if _, err := inspector.GetTaskInfo("acme.poll", queue.TaskID(id, before+1)); err != nil {
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
// out. The worker that takes over looks for it at the vendor and does not submit again;
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
	go func() { _, err := first.submit(context.Background(), p); done <- err }()
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
		if _, err := second.submit(t.Context(), r.payload(id)); err != nil {
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
	if _, err := second.poll(t.Context(), r.payload(id)); err != nil {
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
	go func() { _, err := first.poll(context.Background(), p); ended <- err }()
	<-began
	r.hset(id, "lease", ago(time.Second))
	r.overdue(id)
	if _, err := second.reconcile(t.Context(), second.accounts["acme"]); err != nil {
		t.Fatal(err)
	}
	if _, err := second.poll(t.Context(), r.payload(id)); err != nil {
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
	if _, err := r.blobs.Result(t.Context(), id, won.ResultSeq, ""); err != nil {
		t.Errorf("the winner's result: %v", err)
	}
	if _, err := r.blobs.Result(t.Context(), id, p.Seq, ""); !errors.Is(err, store.ErrNotFound) {
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

// halfway is a vendor that is interrupted in the middle of a document.
type halfway struct {
	*vendor
	between func()
}

func (h *halfway) Submit(_ context.Context, s extraction.Submission) (extraction.Receipt, error) {
	body, err := s.Body()
	if err != nil {
		return extraction.Receipt{}, err
	}
	defer func() { _ = body.Close() }()
	if _, err := body.Read(make([]byte, 1)); err != nil {
		return extraction.Receipt{}, err
	}
	h.between()
	if _, err := io.ReadAll(body); err != nil {
		return extraction.Receipt{}, &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Err: err}
	}
	return extraction.Receipt{VendorID: "v1"}, nil
}

// A user cancels in the middle of an upload: its last byte is kept back, and that is
// no trouble with the document store.
func TestCanceledInUpload(t *testing.T) {
	t.Parallel()
	v := &halfway{vendor: newVendor()}
	r := newRig(t, v)
	r.cfg.Lease = time.Hour // No heartbeat comes between.
	r.cfg.StoreFailed = func(err error) { t.Errorf("the store is said to fail: %v", err) }
	id := r.submit("the document")
	v.between = func() {
		if _, err := r.client.Cancel(t.Context(), "acme", id); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.worker().submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusCanceled || !got.SentAt.IsZero() {
		t.Errorf("now %s, sent at %v, want CANCELED and not sent", got.Status, got.SentAt)
	}
}
