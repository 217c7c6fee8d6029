package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
)

// unlisted is a vendor whose key may do all but list, until it may.
type unlisted struct {
	*vendor
	allowed atomic.Bool
	asked   atomic.Int64
}

func (v *unlisted) Ready(ctx context.Context, q extraction.ReadyQuery) (extraction.ReadyPage, error) {
	v.asked.Add(1)
	if !v.allowed.Load() {
		return extraction.ReadyPage{}, forbidden("ready")
	}
	return v.vendor.Ready(ctx, q)
}

func forbidden(op string) error {
	return &extraction.Error{Op: op, Kind: extraction.KindForbidden, Status: 403, Err: errors.New("403 Forbidden")}
}

// A list that the key may not read is left alone but for a trial now and then, and is no
// reason to stop anything else. It is said once.
func TestForbiddenList(t *testing.T) {
	t.Parallel()
	v := &unlisted{vendor: newVendor()}
	r := newRig(t, v)
	r.slow(time.Second)
	var logged bytes.Buffer
	r.cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	w, other := r.worker(), r.worker()
	var ids []string
	for range 40 {
		ids = append(ids, r.polling(w, "x", time.Second))
	}
	for _, w := range []*Worker{w, other} {
		r.rdb.HDel(t.Context(), "extractq:{acme}:listing", "at") // Time passes.
		if _, err := w.sweep(t.Context(), w.accounts["acme"]); err != nil {
			t.Fatal(err)
		}
	}
	s, err := r.limiter.State(t.Context(), "acme")
	if err != nil || s.Reason != limiter.Active || s.LastError.Code != "unauthorized" {
		t.Fatalf("the account is %+v, %v, want it active", s, err)
	}
	if n := bytes.Count(logged.Bytes(), []byte("ready list refused")); n != 1 || v.asked.Load() != 2 {
		t.Errorf("said %d times of %d, want once:\n%s", n, v.asked.Load(), &logged)
	}
	if l := r.tended(w); !l.OnProbation() || l.Every != forbiddenDelay {
		t.Errorf("the lists are read %+v, want a probation every %v", l, forbiddenDelay)
	}
	w = r.worker() // One whose forecasts are of now.
	r.hset(ids[0], "hn", 1)
	if _, err := w.poll(t.Context(), r.payload(ids[0])); err != nil {
		t.Fatal(err)
	}
	if got := r.get(ids[0]); got.Status != extraction.StatusSuccess {
		t.Errorf("a poll leaves it %s", got.Status)
	}
	v.allowed.Store(true)
	r.rdb.HDel(t.Context(), "extractq:{acme}:listing", "at")
	if got, err := w.sweep(t.Context(), w.accounts["acme"]); err != nil || got.Pages != 1 {
		t.Fatalf("sweep = %+v, %v", got, err)
	}
	if l := r.tended(w); !l.Trusted || l.Refused {
		t.Errorf("when the key may read the lists, they are read %+v", l)
	}
}

// A submission whose answer was lost waits while the key may not list: nothing is decided,
// and no other extraction waits.
func TestForbiddenSearch(t *testing.T) {
	t.Parallel()
	v := &unlisted{vendor: newVendor()}
	r := newRig(t, v)
	w := r.worker()
	id := r.submit("x")
	v.onSubmit = func(int, extraction.Submission) error {
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	for range 2 {
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
	}
	got := r.get(id)
	if v.asked.Load() != 1 || got.Status.Final() || time.Until(got.Due) < forbiddenDelay/2 {
		t.Errorf("asked %d times, it is %s and due in %v", v.asked.Load(), got.Status, time.Until(got.Due))
	}
	if s, err := r.limiter.State(t.Context(), "acme"); err != nil || s.Reason != limiter.Active {
		t.Errorf("the account is %+v, %v, want it active", s, err)
	}
}

// A paused account whose key may not list is resumed by the probe. Where nothing works
// then, the next probes leave it paused for longer and longer; one that may list ends it
// at once, and so does a key that was changed by hand.
func TestForbiddenProbe(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var answer error
	v.onProbe = func() error { return answer }
	r := newRig(t, v)
	w := r.worker()
	a := w.accounts["acme"]
	// after pauses the account, probes it when so much time has passed, and returns why it
	// is paused then.
	after := func(passed time.Duration, reason limiter.Reason) limiter.Reason {
		t.Helper()
		if _, err := r.limiter.Pause(t.Context(), "acme", reason, "", "401"); err != nil {
			t.Fatal(err)
		}
		r.rdb.HSet(t.Context(), "extractq:{acme}:account", "since", ago(passed), "probe_at", ago(time.Second))
		if err := w.tend(t.Context(), a, time.Now()); err != nil {
			t.Fatal(err)
		}
		s, err := r.limiter.State(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return s.Reason
	}
	answer = forbidden("probe")
	for _, reason := range []limiter.Reason{limiter.Unavailable, limiter.Quota} {
		if got := after(5*time.Minute, reason); got != limiter.Active {
			t.Errorf("paused for %q: still %q", reason, got)
		}
	}
	if _, err := r.limiter.Report(t.Context(), "acme", "id", limiter.OpPoll, true); err != nil {
		t.Fatal(err)
	}
	if got := after(5*time.Minute, limiter.Unauthorized); got != limiter.Active {
		t.Errorf("a key that may not list: still %q", got)
	}
	if got := after(5*time.Minute, limiter.Unauthorized); got != limiter.Unauthorized {
		t.Errorf("paused again before anything worked: %q after five minutes", got)
	}
	if got := after(11*time.Minute, limiter.Unauthorized); got != limiter.Active {
		t.Errorf("paused again before anything worked: still %q after eleven minutes", got)
	}
	if got := after(11*time.Minute, limiter.Unauthorized); got != limiter.Unauthorized {
		t.Errorf("the third time: %q after eleven minutes", got)
	}
	if err := w.tryKey(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if s, err := r.limiter.State(t.Context(), "acme"); err != nil || s.Reason != limiter.Active {
		t.Errorf("with another key: %+v, %v", s, err)
	}
	answer = nil
	if got := after(time.Second, limiter.Unauthorized); got != limiter.Active {
		t.Errorf("a key that may list: still %q", got)
	}
}
