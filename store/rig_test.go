package store

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
)

// rig is a real Redis with the records in it.
type rig struct {
	t   testing.TB
	rdb *redis.Client
	s   *Records
	k   keys
}

const testLease = time.Minute

var testKept = Kept{Record: 7 * 24 * time.Hour, Document: 24 * time.Hour}

func newRig(t testing.TB) *rig {
	t.Helper()
	return newRigOn(t, redistest.Client(t))
}

// newRigOn is newRig with a Redis of the test's own.
func newRigOn(t testing.TB, rdb *redis.Client) *rig {
	t.Helper()
	s, err := NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, rdb: rdb, s: s, k: accountKeys("acme")}
	r.window(wide)
	return r
}

// wide is a window that holds nothing back.
var wide = Window{Released: 1 << 20, InFlight: 1 << 20}

// window says how much may be under way, as workers do.
func (r *rig) window(w Window) {
	r.t.Helper()
	if err := r.s.SetWindow(r.t.Context(), "acme", w); err != nil {
		r.t.Fatal(err)
	}
}

func testInput() Input {
	return Input{
		ID: NewID(), Account: "acme", Provider: "fake", Type: "tax_forms", Batch: "b1",
		Document: extraction.Document{Name: "1040.pdf", ContentType: "application/pdf"},
	}
}

// create makes an extraction and returns the fence of its first step.
func (r *rig) create() Fence {
	r.t.Helper()
	in := testInput()
	if _, err := r.s.Create(r.t.Context(), in, Creation{Token: NewToken()}); err != nil {
		r.t.Fatalf("Create: %v", err)
	}
	return Fence{Input: in, Seq: 1, Token: NewToken()}
}

// begin takes the lease of f's step.
func (r *rig) begin(f Fence) Lease {
	r.t.Helper()
	l, err := r.s.Begin(r.t.Context(), f, r.get(f).Step, testLease)
	if err != nil {
		r.t.Fatalf("Begin: %v", err)
	}
	return l
}

// next ends a held step without delay and returns the fence of the one after,
// with a token of its own.
func (r *rig) next(f Fence, step extraction.Step, c *Change) Fence {
	r.t.Helper()
	at, err := r.s.Next(r.t.Context(), f, step, 0, extraction.BecauseScheduled, c)
	if err != nil {
		r.t.Fatalf("Next: %v", err)
	}
	return Fence{Input: f.Input, Seq: at.Seq, Token: NewToken()}
}

// polling makes an extraction that is at the vendor.
func (r *rig) polling() Fence {
	r.t.Helper()
	return r.next(r.begin(r.create()).Fence, extraction.StepPoll, new(Change).Vendor("v-"+NewID()))
}

// finished makes a final extraction and returns the fence that ended it.
func (r *rig) finished(status extraction.Status) Fence {
	r.t.Helper()
	f := r.begin(r.polling()).Fence
	if _, err := r.s.Finish(r.t.Context(), f, status, testKept, new(Change).Result(f.Seq)); err != nil {
		r.t.Fatalf("Finish: %v", err)
	}
	return f
}

func (r *rig) get(f Fence) Record {
	r.t.Helper()
	rec, err := r.s.Get(r.t.Context(), f.Input.Account, f.Input.ID)
	if err != nil {
		r.t.Fatalf("Get: %v", err)
	}
	return rec
}

// want fails unless err is the sentinel (nil for none).
func (r *rig) want(what string, err, sentinel error) {
	r.t.Helper()
	if !errors.Is(err, sentinel) {
		r.t.Errorf("%s = %v, want %v", what, err, sentinel)
	}
}

// hset writes fields of the record behind the scripts' back.
func (r *rig) hset(f Fence, pairs ...any) {
	r.t.Helper()
	if err := r.rdb.HSet(r.t.Context(), r.k.record(f.Input.ID), pairs...).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// lapse ends the lease of a step as if its holder had died long ago.
func (r *rig) lapse(f Fence) {
	r.t.Helper()
	r.hset(f, fieldLease, time.Now().Add(-time.Second).UnixMilli())
}

// overdue makes a step one that reconcile looks at now.
func (r *rig) overdue(f Fence) {
	r.t.Helper()
	if err := r.rdb.ZAdd(r.t.Context(), r.k.due(), redis.Z{Score: 1, Member: f.Input.ID}).Err(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) score(key, member string) (float64, bool) {
	r.t.Helper()
	v, err := r.rdb.ZScore(r.t.Context(), key, member).Result()
	if errors.Is(err, redis.Nil) {
		return 0, false
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return v, true
}

func (r *rig) inFlight(f Fence) bool {
	_, ok := r.score(r.k.inFlight(), f.Input.ID)
	return ok
}

// due is when reconcile looks at an extraction.
func (r *rig) due(f Fence) time.Time {
	r.t.Helper()
	v, ok := r.score(r.k.due(), f.Input.ID)
	if !ok {
		r.t.Fatalf("no due entry for %s", f.Input.ID)
	}
	return time.UnixMilli(int64(v)).UTC()
}

// counts are the counts of batch b1 by status, without those at zero.
func (r *rig) counts() map[extraction.Status]int {
	r.t.Helper()
	m, err := r.rdb.HGetAll(r.t.Context(), r.k.batchCounts("b1")).Result()
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[extraction.Status]int{}
	for status, text := range m {
		n, err := strconv.Atoi(text)
		if err != nil {
			r.t.Fatalf("count of %s is %q", status, text)
		}
		if n != 0 {
			out[extraction.Status(status)] = n
		}
	}
	return out
}

// statuses are the events of one extraction in their order.
func (r *rig) statuses(f Fence) []extraction.Status {
	r.t.Helper()
	events, err := r.s.Events(context.Background(), "acme", "0-0", 100_000)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []extraction.Status
	for _, e := range events {
		if e.ID == f.Input.ID {
			out = append(out, e.Status)
		}
	}
	return out
}

// dump is everything Redis has, for "nothing changed".
func (r *rig) dump() map[string]string {
	r.t.Helper()
	ctx := r.t.Context()
	out := map[string]string{}
	for _, key := range r.rdb.Keys(ctx, "*").Val() {
		if key == r.k.gate() && r.rdb.HLen(ctx, key).Val() == 3 {
			continue // Only the window of newRig.
		}
		body, err := r.rdb.Dump(ctx, key).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			r.t.Fatal(err)
		}
		out[key] = body
	}
	return out
}

func z(score float64, member string) redis.Z { return redis.Z{Score: score, Member: member} }

// waits reports whether an extraction stands in the line.
func (r *rig) waits(f Fence) bool {
	r.t.Helper()
	for _, member := range r.rdb.ZRange(r.t.Context(), r.k.line(), 0, -1).Val() {
		if _, id, _ := strings.Cut(member, "/"); id == f.Input.ID {
			return true
		}
	}
	return false
}
