package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/scheduler"
	"github.com/extractq/extractq/store"
)

// paused makes an account whose probe is due.
func (r *rig) paused(reason limiter.Reason) {
	r.t.Helper()
	if _, err := r.limiter.Pause(r.t.Context(), "acme", reason, "", "503"); err != nil {
		r.t.Fatal(err)
	}
	if err := r.rdb.HSet(r.t.Context(), "extractq:{acme}:account", "probe_at", ago(time.Second)).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// prober is a vendor whose probe hangs until the test lets it go.
type prober struct {
	*vendor
	probes atomic.Int64
	began  chan struct{}
	end    chan struct{}
}

func newProber() *prober {
	return &prober{vendor: newVendor(), began: make(chan struct{}, 8), end: make(chan struct{})}
}

func (p *prober) Probe(context.Context) error {
	p.probes.Add(1)
	p.began <- struct{}{}
	<-p.end
	return nil
}

// When many accounts' vendors do not answer, their probes leave room for what looks after
// the others.
func TestProbesLeaveRoom(t *testing.T) {
	t.Parallel()
	p := newProber()
	p.began = make(chan struct{}, 100)
	r := newRig(t, p)
	r.cfg.Accounts = nil
	for i := range 3 * scheduler.Slots {
		a := Account{Name: fmt.Sprintf("a%d", i), Provider: p}
		r.cfg.Accounts = append(r.cfg.Accounts, a)
		if _, err := r.limiter.Pause(t.Context(), a.Name, limiter.Unavailable, "", "503"); err != nil {
			t.Fatal(err)
		}
	}
	w := r.worker()
	// tick looks after all accounts at once. A third of the slots is in probes that hang
	// then, and all others are done.
	tick := func() {
		t.Helper()
		var wg sync.WaitGroup
		done := make(chan error, len(w.accounts))
		for _, a := range w.accounts {
			wg.Go(func() { done <- w.tend(context.Background(), a, time.Now().Add(time.Minute)) })
		}
		timeout := time.After(30 * time.Second)
		for passed := range len(w.accounts) - vendorSlots {
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-timeout:
				close(p.end)
				wg.Wait()
				t.Fatalf("%d of %d are looked after, the others wait for probes", passed, len(w.accounts))
			}
		}
		for range vendorSlots {
			<-p.began
		}
		close(p.end)
		wg.Wait()
	}
	tick()
	p.end = make(chan struct{})
	tick()
}

// A probe that hangs for longer than a tick is the only one.
func TestOneProbe(t *testing.T) {
	t.Parallel()
	p := newProber()
	r := newRig(t, p)
	w := r.worker()
	r.paused(limiter.Unavailable)
	done := make(chan error, 1)
	go func() { done <- w.tend(context.Background(), w.accounts["acme"], time.Now()) }()
	<-p.began
	for range 5 {
		tick := make(chan error, 1)
		go func() { tick <- w.tend(context.Background(), w.accounts["acme"], time.Now()) }()
		select {
		case err := <-tick:
			if err != nil {
				t.Error(err)
			}
		case <-p.began:
			t.Error("a second probe beside the first")
		}
	}
	close(p.end)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s, err := r.limiter.State(t.Context(), "acme"); err != nil || s.Reason != limiter.Active {
		t.Errorf("after the probe: %+v, %v, want it active", s, err)
	}
}

// An operator pauses the account while it is probed: the pause stays.
func TestOperatorPausesDuringProbe(t *testing.T) {
	t.Parallel()
	p := newProber()
	r := newRig(t, p)
	w := r.worker()
	r.paused(limiter.Unavailable)
	done := make(chan error, 1)
	go func() { done <- w.tend(context.Background(), w.accounts["acme"], time.Now()) }()
	<-p.began
	if _, err := r.limiter.Pause(t.Context(), "acme", limiter.Operator, "", ""); err != nil {
		t.Fatal(err)
	}
	close(p.end)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s, err := r.limiter.State(t.Context(), "acme"); err != nil || s.Reason != limiter.Operator {
		t.Errorf("after the probe: %+v, %v, want the operator's pause", s, err)
	}
}

// The last allowed upload arrives and its answer is lost: the vendor is asked
// before anything is decided.
func TestLastPutArrives(t *testing.T) {
	t.Parallel()
	v := newVendor()
	arrived := atomic.Bool{}
	v.onPut = func(_ int, body io.Reader) error {
		v.mu.Lock()
		second := v.puts == 2
		v.mu.Unlock()
		if second {
			_, _ = io.ReadAll(body)
			arrived.Store(true)
		}
		return &extraction.Error{Op: "upload", Kind: extraction.KindTransient, Sent: second, Err: errors.New("reset")}
	}
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		if arrived.Load() {
			return done(), nil
		}
		return extraction.Outcome{Status: extraction.StatusInProgress, VendorStatus: "WAITING", AwaitsDocument: true}, nil
	}
	r := newRig(t, uploader{v})
	r.cfg.Accounts[0].SubmitAttempts = 2
	w := r.worker()
	id := r.submit("the document")
	for range 6 {
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.limiter.Report(t.Context(), "acme", "other", limiter.OpSubmit, true); err != nil { // Others succeed.
			t.Fatal(err)
		}
		got := r.get(id)
		if got.Status.Final() {
			break
		}
		if !got.WaitingSince.IsZero() {
			r.hset(id, "wait", ago(time.Minute))
		}
	}
	if got := r.get(id); got.Status != extraction.StatusSuccess || v.puts != 2 || v.opened != 1 {
		t.Errorf("ended %s %+v with %d puts and %d opened", got.Status, got.Failure, v.puts, v.opened)
	}
}

// The upload URL's time is over and the vendor never got the document: start
// over, with a new id.
func TestUploadExpired(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPut = func(n int, _ io.Reader) error {
		if n == 1 {
			return &extraction.Error{Op: "upload", Kind: extraction.KindTransient, Err: errors.New("reset")}
		}
		return nil
	}
	v.onPoll = func(id string, _ int) (extraction.Outcome, error) {
		if id == "u1" {
			return extraction.Outcome{Status: extraction.StatusInProgress, AwaitsDocument: true}, nil
		}
		return done(), nil
	}
	r := newRig(t, uploader{v})
	w := r.worker()
	id := r.submit("x")
	step := func() store.Record {
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
		return r.get(id)
	}
	step() // The put fails.
	step() // Waiting is seen once.
	r.hset(id, "wait", ago(time.Minute), "uexp", time.Now().Add(30*time.Second).UnixMilli())
	if got := step(); v.opened != 1 || v.puts != 1 || got.VendorID != "u1" {
		t.Errorf("while the URL may still work: %d opened, %d puts, at %s", v.opened, v.puts, got.VendorID)
	}
	r.hset(id, "uexp", ago(time.Second))
	if got := step(); v.opened != 2 || v.puts != 2 || got.VendorID != "u2" || got.Status != extraction.StatusInProgress {
		t.Errorf("after it: %d opened, %d puts, %s at %s, want IN_PROGRESS at u2", v.opened, v.puts, got.Status, got.VendorID)
	}
	if unknown, err := r.records.Unknown(t.Context(), "acme", []string{"u1", "u2"}); err != nil || len(unknown) != 1 {
		t.Errorf("unknown vendor ids %v, %v, want the abandoned one", unknown, err)
	}
}
