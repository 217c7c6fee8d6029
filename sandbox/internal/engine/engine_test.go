package engine_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/reader"
)

// clock is a clock that goes when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func fixed(d time.Duration) func(*rand.Rand) time.Duration {
	return func(*rand.Rand) time.Duration { return d }
}

func TestTheLifeOfADocument(t *testing.T) {
	t.Parallel()
	c := newClock()
	e := engine.New[string](engine.Config{Now: c.Now, Latency: fixed(10 * time.Second), Expiry: time.Hour})
	e.Open("x", "meta")
	check := func(want engine.State) engine.Extraction[string] {
		t.Helper()
		x, ok := e.Get("x")
		if !ok || x.State != want {
			t.Fatalf("Get = %v, %v, want state %v", x.State, ok, want)
		}
		return x
	}
	c.pass(time.Minute)
	if x := check(engine.Waiting); !x.Received.IsZero() {
		t.Errorf("received at %v without a document", x.Received)
	}
	if err := e.Receive(t.Context(), "x", fixtures.Invoice(1), ""); err != nil {
		t.Fatal(err)
	}
	if err := e.Receive(t.Context(), "x", fixtures.Invoice(2), ""); !errors.Is(err, engine.ErrReceived) {
		t.Errorf("second Receive = %v, want %v", err, engine.ErrReceived)
	}
	if err := e.Receive(t.Context(), "y", nil, ""); !errors.Is(err, engine.ErrUnknown) {
		t.Errorf("Receive for an unknown id = %v, want %v", err, engine.ErrUnknown)
	}
	check(engine.Waiting) // for the moment until it is noticed
	c.pass(time.Second)
	if x := check(engine.Processing); x.Document != nil {
		t.Error("there is a result while it is processed")
	}
	c.pass(9 * time.Second)
	x := check(engine.Done)
	if got, want := x.Finished.Sub(x.Received), 10*time.Second; got != want {
		t.Errorf("took %v, want %v", got, want)
	}
	if x.Meta != "meta" || x.Document == nil {
		t.Errorf("Get = %q, %v, want what was submitted and a document", x.Meta, x.Document)
	}
	c.pass(time.Hour)
	if x := check(engine.Expired); x.Document != nil {
		t.Error("there is a result after it expired")
	}
}

// A document that has a time of its own takes that, and others what is drawn.
func TestTimes(t *testing.T) {
	t.Parallel()
	c := newClock()
	own := fixtures.Invoice(1)
	e := engine.New[string](engine.Config{
		Now: c.Now, Latency: fixed(10 * time.Second),
		Times: map[[sha256.Size]byte]time.Duration{sha256.Sum256(own): time.Minute},
	})
	for id, body := range map[string][]byte{"own": own, "drawn": fixtures.Invoice(2)} {
		e.Open(id, "meta")
		if err := e.Receive(t.Context(), id, body, "application/pdf"); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		after      time.Duration
		own, drawn engine.State
	}{{11 * time.Second, engine.Processing, engine.Done}, {50 * time.Second, engine.Done, engine.Done}} {
		c.pass(want.after)
		own, _ := e.Get("own")
		drawn, _ := e.Get("drawn")
		if own.State != want.own || drawn.State != want.drawn {
			t.Errorf("%v and %v, want %v and %v", own.State, drawn.State, want.own, want.drawn)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	c := newClock()
	e := engine.New[string](engine.Config{Now: c.Now, Latency: fixed(time.Second)})
	for _, id := range []string{"empty", "broken", "gone", "waiting"} {
		e.Open(id, "")
	}
	_ = e.Receive(t.Context(), "empty", nil, "")
	_ = e.Receive(t.Context(), "broken", []byte("%PDF-1.4"), "")
	if err := e.Fail("gone", "connection refused"); err != nil {
		t.Errorf("Fail = %v, want nil", err)
	}
	if err := e.Fail("empty", "too late"); !errors.Is(err, engine.ErrReceived) {
		t.Errorf("Fail of what was received = %v, want %v", err, engine.ErrReceived)
	}
	if err := e.Fail("other", "connection refused"); !errors.Is(err, engine.ErrUnknown) {
		t.Errorf("Fail of what is unknown = %v, want %v", err, engine.ErrUnknown)
	}
	c.pass(time.Second)
	got := map[string]string{}
	for _, id := range e.Finished(func(string) bool { return true }) {
		x, _ := e.Get(id)
		if x.State != engine.Failed {
			t.Errorf("state of %s is %v, want %v", id, x.State, engine.Failed)
		}
		got[id] = x.Failure
	}
	want := map[string]string{"empty": reader.ReasonEmpty, "broken": reader.ReasonInvalid, "gone": "connection refused"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	e.Hide("gone")
	if ids := e.Finished(func(string) bool { return true }); slices.Contains(ids, "gone") {
		t.Errorf("Finished = %v, with what is hidden", ids)
	}
}

// TestRunsRepeat submits the same documents in another order and twice each: the
// times belong to the document and to which time it is submitted.
func TestRunsRepeat(t *testing.T) {
	t.Parallel()
	run := func(seed uint64, order []int) map[string]time.Duration {
		e := engine.New[int](engine.Config{Now: newClock().Now, Seed: seed, Latency: func(r *rand.Rand) time.Duration {
			return time.Duration(r.IntN(1_000_000))
		}})
		took := map[string]time.Duration{}
		for round := range 2 {
			for _, n := range order {
				id := fmt.Sprint(n, "/", round)
				e.Open(id, n)
				if err := e.Receive(t.Context(), id, fixtures.Invoice(n), ""); err != nil {
					t.Fatal(err)
				}
				x, _ := e.Peek(id)
				took[id] = x.Finished.Sub(x.Received)
			}
		}
		return took
	}
	first := run(1, []int{1, 2, 3})
	if diff := cmp.Diff(first, run(1, []int{3, 1, 2})); diff != "" {
		t.Errorf("times in a second run (-first +second):\n%s", diff)
	}
	if cmp.Equal(first, run(2, []int{1, 2, 3})) {
		t.Error("another seed gives the same times")
	}
	if first["1/0"] == first["1/1"] {
		t.Error("the second submission of a document takes as long as the first")
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	c := newClock()
	e := engine.New[int](engine.Config{Now: c.Now, Latency: fixed(0)})
	for n := range 10 {
		c.pass(time.Second)
		e.Open(fmt.Sprint(n), n)
	}
	odd := func(x engine.Extraction[int]) bool { return x.Meta%2 == 1 }
	var got [][]int
	var after *engine.Cursor
	for {
		page, more := e.Newest(after, time.Time{}, 2, odd)
		var ids []int
		for _, x := range page {
			ids = append(ids, x.Meta)
			after = &engine.Cursor{ID: x.ID, Created: x.Created}
		}
		got = append(got, ids)
		if !more {
			break
		}
	}
	if diff := cmp.Diff([][]int{{9, 7}, {5, 3}, {1}}, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	// A cursor whose extraction was forgotten still has its time.
	after = &engine.Cursor{ID: "forgotten", Created: c.Now().Add(-4 * time.Second)}
	page, _ := e.Newest(after, c.Now().Add(-6*time.Second), 10, func(engine.Extraction[int]) bool { return true })
	var ids []int
	for _, x := range page {
		ids = append(ids, x.Meta)
	}
	if diff := cmp.Diff([]int{4, 3}, ids); diff != "" {
		t.Errorf("page after a time, since a time (-want +got):\n%s", diff)
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	t.Parallel()
	c := newClock()
	e := engine.New[int](engine.Config{Now: c.Now, Latency: fixed(time.Second), MaxRecords: 100, Abandon: time.Minute})
	e.Open("waiting", 0)
	for n := range 1_000 {
		id := fmt.Sprint(n)
		e.Open(id, n)
		if err := e.Receive(t.Context(), id, fixtures.Invoice(n%10), ""); err != nil {
			t.Fatal(err)
		}
		c.pass(10 * time.Millisecond)
	}
	// One second of them is still under way, which is exactly the bound.
	got := e.Stats()
	if got.Records > 150 || got.Texts > 10 || got.Bytes > 100_000 {
		t.Errorf("after 1,000 documents of 10 kinds: %+v, want at most 150 records of 10 texts", got)
	}
	if _, ok := e.Get("waiting"); !ok {
		t.Error("what waits for its document was forgotten")
	}
	c.pass(2 * time.Minute)
	for n := range 200 {
		e.Open(fmt.Sprint("late", n), n)
	}
	if _, ok := e.Get("waiting"); ok {
		t.Error("what was abandoned was not forgotten")
	}
	if got := e.Stats(); got.Texts != 0 || got.Bytes != 0 {
		t.Errorf("without any document: %+v, want no texts", got)
	}
}

func TestTextsAreBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	e := engine.New[int](engine.Config{Now: c.Now, Latency: fixed(0), MaxRecords: 1_000_000, MaxBytes: 50_000})
	for n := range 500 {
		id := fmt.Sprint(n)
		e.Open(id, n)
		if err := e.Receive(t.Context(), id, fixtures.Invoice(n), ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Stats(); got.Bytes > 55_000 || got.Records == 500 || got.Records == 0 {
		t.Errorf("after 500 different documents: %+v, want about 50,000 bytes", got)
	}
}

func TestManySendersOfOneDocument(t *testing.T) {
	t.Parallel()
	e := engine.New[int](engine.Config{Now: newClock().Now, Latency: fixed(0)})
	document := fixtures.TaxForm(1)
	e.Open("one", 0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for n := range 50 {
		wg.Go(func() {
			id := fmt.Sprint(n)
			e.Open(id, n)
			if err := e.Receive(t.Context(), id, document, ""); err != nil {
				t.Error(err)
			}
			if err := e.Receive(t.Context(), "one", document, ""); err == nil {
				mu.Lock()
				accepted++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if accepted != 1 {
		t.Errorf("one extraction received %d documents", accepted)
	}
	if got := e.Stats(); got.Records != 51 || got.Texts != 1 {
		t.Errorf("%+v, want 51 records of one text", got)
	}
}
