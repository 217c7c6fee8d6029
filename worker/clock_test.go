package worker

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// What is in every state when Redis's clock jumps ends as it would have: nothing stands
// still, no deadline is over, nothing is erased, and nothing is submitted twice.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"back": -600 * time.Second, "ahead": 4000 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testClockJump(t, by)
		})
	}
}

func testClockJump(t *testing.T, by time.Duration) {
	server := redistest.StartWithClock(t)
	v := newVendor()
	var mu sync.Mutex
	finished, lost := false, 0
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		mu.Lock()
		defer mu.Unlock()
		if finished {
			return done(), nil
		}
		return pending(), nil
	}
	v.onSubmit = func(_ int, s extraction.Submission) error {
		if !strings.Contains(s.Name, "uncertain") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		lost++
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: io.ErrUnexpectedEOF}
	}
	p := &producer{answer: func(n int) DeliveryOutcome {
		if n == 1 {
			return DeliveryOutcome{State: store.DeliveryPending, Status: 503, Wait: 4 * time.Second}
		}
		return DeliveryOutcome{State: store.DeliveryDelivered, Status: 200}
	}}
	r := newRigOn(t, server.Client(), v)
	r.cfg.Deliverer, r.cfg.Lease, r.cfg.UncertainWindow = p, 3*time.Second, 10*time.Second
	r.cfg.Accounts[0].Deadline = 30 * time.Minute
	r.cfg.DocumentRetention = time.Hour
	stop := r.start()

	// Two have ended: one waits for its retention, the other for its producer.
	finished = true
	kept, told := r.submit("kept"), r.submitWithCallback()
	r.final(kept)
	r.final(told)
	r.await("the first delivery", func() bool { return len(p.deliveries()) == 1 })
	mu.Lock()
	finished = false
	mu.Unlock()
	// Some are at the vendor, and one of them may be.
	var ids []string
	for range 10 {
		ids = append(ids, r.submit("at the vendor"))
	}
	uncertain := r.submitNamed("uncertain.pdf")
	r.await("all to be submitted", func() bool {
		for _, id := range ids {
			if r.get(id).Status != extraction.StatusInProgress {
				return false
			}
		}
		return r.get(uncertain).Phase == store.PhaseUncertain
	})
	// One is held by a worker that dies now, and the account is paused with one in line.
	stop()
	dead := r.submit("held by a dead worker")
	rec := r.get(dead)
	if _, err := r.records.Begin(t.Context(), store.Fence{Input: rec.Input, Seq: rec.Seq, Token: store.NewToken()},
		extraction.StepSubmit, r.cfg.Lease); err != nil {
		t.Fatal(err)
	}
	if _, err := r.limiter.Pause(t.Context(), "acme", limiter.Operator, "", ""); err != nil {
		t.Fatal(err)
	}
	queued := r.submit("in the line")
	r.start()
	if err := r.limiter.Block(t.Context(), "acme", 2*time.Second); err != nil {
		t.Fatal(err)
	}

	server.SetClock(by)
	later := r.submit("after the jump")
	if err := r.limiter.Resume(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	r.await("the one in the line to be submitted", func() bool { return r.get(queued).Status == extraction.StatusInProgress })
	polled := v.polled()
	r.await("the vendor to have said not yet", func() bool { return v.polled() >= polled+5 })
	mu.Lock()
	finished = true
	mu.Unlock()
	began := time.Now()
	for _, id := range append(ids, dead, queued, later) {
		if got := r.final(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s ended %s: %+v", id, got.Status, got.Failure)
		}
	}
	if got := r.final(uncertain); got.Failure == nil || got.Failure.Code != extraction.CodeSubmitUncertain {
		t.Errorf("the uncertain one ended %s: %+v", got.Status, got.Failure)
	}
	if lost != 1 {
		t.Errorf("the uncertain one was submitted %d times", lost)
	}
	r.delivered(told, store.DeliveryDelivered)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("all ended %v after the vendor had", took)
	}
	if got := r.get(kept); time.Until(got.ExpiresAt) < 160*time.Hour {
		t.Errorf("it is kept until %v", got.ExpiresAt)
	}
	if rc, err := r.blobs.OpenDocument(t.Context(), kept); err != nil {
		t.Errorf("its document is gone before its time: %v", err)
	} else {
		_ = rc.Close()
	}
	if v.submits != 2+len(ids)+1+3 {
		t.Errorf("%d submissions", v.submits)
	}
	r.submittedOnce(v)
}

// polled is how often the vendor was asked.
func (v *vendor) polled() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for _, polls := range v.polls {
		n += polls
	}
	return n
}

// submittedOnce checks that the vendor has no document twice, by the tokens in its names.
func (r *rig) submittedOnce(v *vendor) {
	r.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := map[string]bool{}
	for _, name := range v.names {
		if seen[name] {
			r.t.Errorf("the vendor has %s twice", name)
		}
		seen[name] = true
	}
}

func (r *rig) submitNamed(name string) string {
	r.t.Helper()
	e, err := r.client.Submit(r.t.Context(), intake.Submission{
		Account: "acme", Provider: "fake", Type: "t", Name: name, Document: strings.NewReader("x"), Batch: "b1",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return e.ID
}

// A task that sleeps by the clock of a machine that was hours ahead is run when its step is
// due by Redis's.
func TestTaskOfAnotherClock(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	id := r.submit("x")
	w := r.worker()
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	rec := r.get(id)
	key := "asynq:{" + queue.PollQueue("acme") + "}:scheduled"
	later := z(float64(time.Now().Add(5*time.Hour).Unix()), queue.TaskID(id, rec.Seq))
	if n, err := r.rdb.ZAddXX(t.Context(), key, later).Result(); err != nil || r.rdb.ZScore(t.Context(), key, queue.TaskID(id, rec.Seq)).Val() != later.Score {
		t.Fatal(n, err)
	}
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess {
		t.Errorf("it ended %s", got.Status)
	}
}

// A jump of Redis's clock that a call of the limiter is the first to see neither shortens
// what the vendor asked for nor adds to it, and the account is probed when it is due.
func TestClockJumpsUnderTheLimiter(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"back": -600 * time.Second, "ahead": 4000 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.StartWithClock(t)
			r := newRigOn(t, server.Client(), newVendor())
			now := func() time.Time {
				t.Helper()
				c, err := r.records.Clock(t.Context(), "acme")
				if err != nil {
					t.Fatal(err)
				}
				return c.Now
			}
			now()
			server.SetClock(by)
			if err := r.limiter.Block(t.Context(), "acme", 5*time.Minute); err != nil {
				t.Fatal(err)
			}
			now()
			a, err := r.limiter.Admit(t.Context(), "acme", limiter.OpSubmit, 1, 0)
			if err != nil || a.Verdict != limiter.Later || a.Wait < 3*time.Minute || a.Wait > 6*time.Minute {
				t.Errorf("a call waits %+v, %v, want five minutes", a, err)
			}
			server.SetClock(0)
			if _, err := r.limiter.Pause(t.Context(), "acme", limiter.Unauthorized, "", "401"); err != nil {
				t.Fatal(err)
			}
			if wait := r.state().ProbeAt.Sub(now()); wait < 3*time.Minute || wait > 6*time.Minute {
				t.Errorf("the account is probed in %v, want five minutes", wait)
			}
		})
	}
}
