package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/polling"
	"github.com/extractq/extractq/store"
)

// vendor is a vendor in memory: it counts what it gets and answers as its
// functions say. HTTP is covered by the providers' own tests and by e2e.
type vendor struct {
	mu      sync.Mutex
	bodies  map[string]string // By vendor id.
	names   map[string]string
	opened  int
	submits int
	polls   map[string]int

	// The functions may be nil. Each is called with the count of calls so far,
	// 1 for the first.
	onOpen   func(n int) error
	onPut    func(n int, body io.Reader) error
	onSubmit func(n int, s extraction.Submission) error
	onBody   func(n int) // Before the body is read.
	onPoll   func(id string, n int) (extraction.Outcome, error)
	ready    []extraction.ReadyItem
	onReady  func()
	onProbe  func() error
	puts     int
}

func newVendor() *vendor {
	return &vendor{bodies: map[string]string{}, names: map[string]string{}, polls: map[string]int{}}
}

func (v *vendor) Traits() extraction.Traits {
	return extraction.Traits{Provider: "fake", ReadyHasNames: true}
}

func (v *vendor) Check(extraction.Submission) error { return nil }

func (v *vendor) Submit(_ context.Context, s extraction.Submission) (extraction.Receipt, error) {
	v.mu.Lock()
	v.submits++
	n, on := v.submits, v.onSubmit
	v.mu.Unlock()
	body, err := s.Body()
	if err != nil {
		return extraction.Receipt{}, err
	}
	defer func() { _ = body.Close() }()
	if v.onBody != nil {
		v.onBody(n)
	}
	read, err := io.ReadAll(body)
	if err != nil {
		return extraction.Receipt{}, &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Err: err}
	}
	if on != nil {
		if err := on(n, s); err != nil {
			return extraction.Receipt{}, err
		}
	}
	id := fmt.Sprintf("v%d", n)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bodies[id], v.names[id] = string(read), s.Name
	return extraction.Receipt{VendorID: id}, nil
}

func (v *vendor) Poll(_ context.Context, id string) (extraction.Outcome, error) {
	v.mu.Lock()
	v.polls[id]++
	n, on := v.polls[id], v.onPoll
	v.mu.Unlock()
	if on != nil {
		return on(id, n)
	}
	return done(), nil
}

func (v *vendor) Ready(context.Context, extraction.ReadyQuery) (extraction.ReadyPage, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.onReady != nil {
		v.onReady()
	}
	return extraction.ReadyPage{Items: v.ready}, nil
}

func (v *vendor) Probe(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.onProbe != nil {
		return v.onProbe()
	}
	return nil
}

// uploader is a vendor with two steps.
type uploader struct{ *vendor }

func (u uploader) Open(context.Context, extraction.Submission) (extraction.Upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.opened++
	if u.onOpen != nil {
		if err := u.onOpen(u.opened); err != nil {
			return extraction.Upload{}, err
		}
	}
	return extraction.Upload{
		VendorID: fmt.Sprintf("u%d", u.opened), VendorStatus: "WAITING",
		URL: "https://upload.test/?X-Amz-Signature=secret", ExpiresAt: time.Now().Add(15 * time.Minute),
	}, nil
}

func (u uploader) Put(_ context.Context, up extraction.Upload, s extraction.Submission) error {
	body, err := s.Body()
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	u.mu.Lock()
	u.puts++
	n, on := u.puts, u.onPut
	u.mu.Unlock()
	if on != nil {
		if err := on(n, body); err != nil {
			return err
		}
	}
	read, err := io.ReadAll(body)
	if err != nil {
		return &extraction.Error{Op: "upload", Kind: extraction.KindTransient, Err: err}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bodies[up.VendorID] = string(read)
	return nil
}

func done() extraction.Outcome {
	r := extraction.NewResult([]byte(`{"ok":true}`))
	r.Fields["total"] = []extraction.Value{{Value: "1", Type: extraction.TypeString}}
	return extraction.Outcome{Status: extraction.StatusSuccess, VendorStatus: "DONE", Result: r}
}

func pending() extraction.Outcome {
	return extraction.Outcome{Status: extraction.StatusInProgress, VendorStatus: "PROCESSING"}
}

// rig is a worker for one account with everything real but the vendor.
type rig struct {
	t       testing.TB
	rdb     redis.UniversalClient
	blobs   *store.Blobs
	dir     string // Of the blobs.
	client  *intake.Client
	records *store.Records
	polls   *polling.Store
	limiter *limiter.Limiter
	cfg     Config
}

func newRig(t testing.TB, p extraction.Provider) *rig {
	t.Helper()
	return newRigOn(t, redistest.Client(t), p)
}

// newRigOn is newRig with a Redis of the test's own.
func newRigOn(t testing.TB, rdb redis.UniversalClient, p extraction.Provider) *rig {
	t.Helper()
	dir := t.TempDir()
	blobs, err := store.OpenBlobs(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := intake.New(intake.Parts{
		Redis: rdb, Blobs: blobs, Kept: store.Kept{Record: 168 * time.Hour, Document: 24 * time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	records, err := store.NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is held back until a worker says so.
	if err := records.SetWindow(t.Context(), "acme", store.Window{Released: 1000, InFlight: 1000}); err != nil {
		t.Fatal(err)
	}
	return &rig{
		t: t, rdb: rdb, blobs: blobs, dir: dir, client: client, records: records, polls: polling.NewStore(rdb, records), limiter: limiter.New(rdb, records),
		cfg: Config{
			Redis: rdb, Blobs: blobs, Concurrency: 8, StopTimeout: 2 * time.Second, Lease: 3 * time.Second,
			RetryDelay: 200 * time.Millisecond, UncertainWindow: 3 * time.Second, DocumentRetention: 24 * time.Hour, Tick: -1, Logger: slog.New(slog.DiscardHandler),
			Accounts: []Account{{Name: "acme", Provider: p, MaxInFlight: 100, Deadline: time.Hour, SubmitAttempts: 5}},
		},
	}
}

// start runs a worker and a ticker until the test ends or stop is called.
func (r *rig) start() (stop func()) {
	r.t.Helper()
	w, err := New(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.settleClocks(ctx, w.all()) // As Run does before the first tick.
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
			for _, a := range w.all() {
				if _, err := w.reconcile(ctx, a); err != nil && ctx.Err() == nil {
					r.t.Errorf("reconcile: %v", err)
				}
			}
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	r.t.Cleanup(stop)
	return stop
}

func (r *rig) submit(body string) string {
	r.t.Helper()
	e, err := r.client.Submit(r.t.Context(), intake.Submission{
		Account: "acme", Provider: "fake", Type: "t", Name: "a.pdf", Document: strings.NewReader(body), Batch: "b1",
	})
	if err != nil {
		r.t.Fatalf("Submit: %v", err)
	}
	return e.ID
}

// await polls a condition until it holds.
func (r *rig) await(what string, cond func() bool) {
	r.t.Helper()
	r.awaitFor(30*time.Second, what, cond)
}

// awaitFor is await with a time of its own.
func (r *rig) awaitFor(most time.Duration, what string, cond func() bool) {
	r.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(most)
	for !cond() {
		select {
		case <-ticker.C:
		case <-deadline:
			r.t.Fatalf("waited %v for %s", most, what)
		}
	}
}

func (r *rig) get(id string) store.Record {
	r.t.Helper()
	rec, err := r.records.Get(context.Background(), "acme", id)
	if err != nil {
		r.t.Fatalf("Get(%s): %v", id, err)
	}
	return rec
}

func (r *rig) final(id string) store.Record {
	r.t.Helper()
	r.await(id+" to be final", func() bool { return r.get(id).Status.Final() })
	return r.get(id)
}

func TestOneCall(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
		if n < 2 {
			return pending(), nil
		}
		return done(), nil
	}
	r := newRig(t, v)
	id := r.submit("the document")
	r.start()
	got := r.final(id)
	if got.Status != extraction.StatusSuccess || got.Polls != 2 || got.Attempts != 1 {
		t.Errorf("got %s after %d polls and %d attempts, want SUCCESS after 2 and 1", got.Status, got.Polls, got.Attempts)
	}
	if v.bodies["v1"] != "the document" {
		t.Errorf("the vendor got %q", v.bodies["v1"])
	}
	if extraction.TokenID(v.names["v1"]) != id {
		t.Errorf("the vendor's name %q does not carry %s", v.names["v1"], id)
	}
	result, err := r.blobs.Result(t.Context(), id, got.ResultSeq, "")
	if err != nil || len(result.Fields["total"]) != 1 {
		t.Errorf("result %+v, %v", result, err)
	}
	if l, _ := r.records.Load(t.Context(), "acme"); l.InFlight != 0 {
		t.Errorf("%d slots are still held", l.InFlight)
	}
}

func TestTwoSteps(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, uploader{v})
	id := r.submit("the document")
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess || got.VendorID != "u1" {
		t.Errorf("got %s at %s, want SUCCESS at u1", got.Status, got.VendorID)
	}
	if v.bodies["u1"] != "the document" || v.opened != 1 {
		t.Errorf("the vendor got %q with %d opened, want the document with 1", v.bodies["u1"], v.opened)
	}
}

// The upload's answer is lost: whether the document arrived decides, seen twice,
// whether it is sent again, and always to the same id.
func TestLostPut(t *testing.T) {
	t.Parallel()
	for _, arrived := range []bool{true, false} {
		t.Run(fmt.Sprintf("arrived=%v", arrived), func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onPut = func(n int, body io.Reader) error {
				if n > 1 {
					return nil
				}
				if arrived {
					_, _ = io.ReadAll(body)
				}
				return &extraction.Error{Op: "upload", Kind: extraction.KindTransient, Sent: arrived, Err: errors.New("reset")}
			}
			v.onPoll = func(string, int) (extraction.Outcome, error) {
				v.mu.Lock()
				defer v.mu.Unlock()
				if !arrived && v.puts < 2 {
					return extraction.Outcome{Status: extraction.StatusInProgress, VendorStatus: "WAITING", AwaitsDocument: true}, nil
				}
				return done(), nil
			}
			r := newRig(t, uploader{v})
			id := r.submit("the document")
			r.start()
			got := r.final(id)
			want := 1
			if !arrived {
				want = 2
			}
			if got.Status != extraction.StatusSuccess || v.opened != 1 || v.puts != want {
				t.Errorf("got %s with %d opened and %d puts, want SUCCESS with 1 and %d", got.Status, v.opened, v.puts, want)
			}
		})
	}
}

// The answer to a one-call submission is lost. It is found in the ready list, or
// on_uncertain decides; there is no silent second submission.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		listed   bool
		resubmit bool
		status   extraction.Status
		code     extraction.Code
		submits  int
	}{
		{"found", true, false, extraction.StatusSuccess, "", 1},
		{"fail", false, false, extraction.StatusError, extraction.CodeSubmitUncertain, 1},
		{"resubmit", false, true, extraction.StatusSuccess, "", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onSubmit = func(n int, s extraction.Submission) error {
				if n > 1 {
					return nil
				}
				if tt.listed {
					v.mu.Lock()
					v.ready = []extraction.ReadyItem{{VendorID: "other", Name: "x.pdf"}, {VendorID: "lost", Name: s.Name}}
					v.mu.Unlock()
				}
				return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
			}
			r := newRig(t, v)
			r.cfg.Accounts[0].Resubmit = tt.resubmit
			id := r.submit("x")
			r.start()
			got := r.final(id)
			if got.Status != tt.status || v.submits != tt.submits {
				t.Errorf("got %s after %d submissions, want %s after %d", got.Status, v.submits, tt.status, tt.submits)
			}
			if tt.code != "" && (got.Failure == nil || got.Failure.Code != tt.code) {
				t.Errorf("failure %+v, want %s", got.Failure, tt.code)
			}
		})
	}
}

// A definite refusal after the whole body was sent is not uncertain.
func TestRefusedAfterBody(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(n int, _ extraction.Submission) error {
		if n == 1 {
			return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Status: 503, Err: errors.New("503")}
		}
		return nil
	}
	r := newRig(t, v)
	id := r.submit("x")
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess || got.Attempts != 2 {
		t.Errorf("got %s after %d attempts, want SUCCESS after 2", got.Status, got.Attempts)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) { return pending(), nil }
	r := newRig(t, v)
	r.cfg.Accounts[0].Deadline = 3 * time.Second
	id := r.submit("x")
	r.start()
	got := r.final(id)
	if got.Status != extraction.StatusError || got.Failure.Code != extraction.CodeDeadlineExceeded {
		t.Errorf("got %s %+v, want ERROR deadline_exceeded", got.Status, got.Failure)
	}
}

// A refused key ends no extraction: the account pauses, and a probe lifts the
// pause once the key works.
func TestUnauthorizedPauses(t *testing.T) {
	t.Parallel()
	v := newVendor()
	good := false
	denied := &extraction.Error{Op: "submit", Kind: extraction.KindUnauthorized, Status: 401, Err: errors.New("401")}
	v.onSubmit = func(int, extraction.Submission) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if !good {
			return denied
		}
		return nil
	}
	v.onProbe = func() error {
		if !good {
			return denied
		}
		return nil
	}
	r := newRig(t, v)
	ids := []string{r.submit("a"), r.submit("b"), r.submit("c")}
	stop := r.start()
	state := func() limiter.State {
		s, err := r.limiter.State(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r.await("the pause", func() bool { return state().Reason == limiter.Unauthorized })
	stop()
	v.mu.Lock()
	good = true
	v.mu.Unlock()
	r.cfg.Accounts[0].Key = "another key" // A new key is probed at once.
	r.start()
	for _, id := range ids {
		if got := r.final(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s ended %s %+v", id, got.Status, got.Failure)
		}
	}
	if s := state(); s.Reason != limiter.Active {
		t.Errorf("still paused: %+v", s)
	}
}

// Five failures in a row from three extractions pause the account as
// unavailable.
func TestUnavailablePauses(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(int, extraction.Submission) error {
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Status: 500, Err: errors.New("500")}
	}
	r := newRig(t, v)
	for range 3 {
		r.submit("x")
	}
	r.start()
	r.await("the pause", func() bool {
		s, err := r.limiter.State(t.Context(), "acme")
		return err == nil && s.Reason == limiter.Unavailable
	})
	r.await("paused queues", func() bool {
		paused, err := queue.New(r.rdb).Paused(context.Background(), "acme")
		return err == nil && paused
	})
}

// One document that always fails while others succeed ends alone.
func TestOneBadDocument(t *testing.T) {
	t.Parallel()
	v := newVendor()
	bad := ""
	v.onSubmit = func(_ int, s extraction.Submission) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if extraction.TokenID(s.Name) == bad {
			return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Status: 500, Err: errors.New("500")}
		}
		return nil
	}
	r := newRig(t, v)
	r.cfg.Accounts[0].SubmitAttempts = 2
	bad = r.submit("bad")
	r.start()
	r.await("a failure", func() bool { return r.get(bad).SubmitErrors > 0 })
	good := r.submit("good")
	if got := r.final(good); got.Status != extraction.StatusSuccess {
		t.Errorf("good ended %s", got.Status)
	}
	if got := r.final(bad); got.Failure == nil || got.Failure.Code != extraction.CodeVendorFailed {
		t.Errorf("bad ended %s %+v, want vendor_failed", got.Status, got.Failure)
	}
}
