package worker

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/scheduler"
)

// week is a rig whose Redis has the time that the test gives it, so that days pass at once.
type week struct {
	*rig

	redis  *miniredis.Miniredis
	clocks clocks
	w      *Worker
	rng    *rand.Rand
	now    time.Time
}

// clocks is a Redis client with the monotonic clock of the machine that it runs on: days that
// pass by Redis's clock alone would be a jump of it.
type clocks struct {
	*redis.Client

	uptime *atomic.Int64
}

// Uptime is the time of the monotonic clock.
func (c clocks) Uptime() time.Duration { return time.Duration(c.uptime.Load()) }

func newWeek(t *testing.T, v *vendor) *week {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := miniredis.RunT(t)
	now := time.Now().UTC().Truncate(time.Second)
	m.SetTime(now)
	c := clocks{redis.NewClient(&redis.Options{Addr: m.Addr(), DisableIdentity: true}), new(atomic.Int64)}
	t.Cleanup(func() { _ = c.Close() })
	r := newRigOn(t, c, v)
	return &week{rig: r, redis: m, clocks: c, w: r.worker(), rng: rand.New(rand.NewPCG(seed, 1)), now: now}
}

// to lets time pass until a moment.
func (w *week) to(at time.Time) {
	w.clocks.uptime.Add(int64(at.Sub(w.now)))
	w.now = at
	w.redis.SetTime(at)
}

// soon is the moment of some tick after a moment.
func (w *week) soon(at time.Time) time.Time {
	return at.Add(time.Duration(w.rng.Int64N(int64(scheduler.Interval))))
}

// tick looks after the account once, as a worker does every two seconds.
func (w *week) tick() (reconciled, error) {
	w.t.Helper()
	return w.w.reconcile(w.t.Context(), w.w.accounts["acme"])
}

// documentedProbe is when a paused account is probed for the n-th time, counted from 1,
// after the pause or the probe before, as the documentation has it.
func documentedProbe(reason limiter.Reason, n int) time.Duration {
	switch reason {
	case limiter.Unavailable:
		return []time.Duration{30, 60, 120, 240, 300}[min(n, 5)-1] * time.Second
	case limiter.Unauthorized:
		return 5 * time.Minute
	case limiter.Quota:
		return time.Hour
	case limiter.Active, limiter.Operator:
	}
	return 0
}

// A week of pauses, each as long as chance will have it: every one is probed at the
// documented times, neither earlier nor later, until the vendor works, and then it is over.
func TestWeekOfPauses(t *testing.T) {
	t.Parallel()
	v := newVendor()
	w := newWeek(t, v)
	var probes int
	works := false
	v.onProbe = func() error {
		probes++
		if works {
			return nil
		}
		return &extraction.Error{Op: "probe", Kind: extraction.KindTransient, Err: errors.New("503")}
	}
	look := func() limiter.State {
		t.Helper()
		if _, err := w.tick(); err != nil {
			t.Fatal(err)
		}
		s, err := w.limiter.State(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	pauses, all := 0, 0
	for end := w.now.Add(7 * 24 * time.Hour); w.now.Before(end); pauses++ {
		w.to(w.now.Add(time.Duration(w.rng.Int64N(int64(3 * time.Hour)))))
		reason := []limiter.Reason{limiter.Unavailable, limiter.Unauthorized, limiter.Quota}[w.rng.IntN(3)]
		if _, err := w.limiter.Pause(t.Context(), "acme", reason, "", "503"); err != nil {
			t.Fatal(err)
		}
		// From a second to six hours, each order of magnitude as likely.
		over := w.now.Add(time.Duration(math.Exp(w.rng.Float64()*math.Log(6*3600)) * float64(time.Second)))
		before, lifted := w.now, false
		for n := 1; !lifted; n++ {
			due := before.Add(documentedProbe(reason, n))
			for _, early := range []time.Duration{0, time.Duration(w.rng.Int64N(int64(due.Sub(before)))), due.Sub(before) - time.Millisecond} {
				w.to(before.Add(early))
				probes = 0
				if s := look(); s.Reason != reason || probes != 0 {
					t.Fatalf("%s: %v before probe %d it is %q, with %d probes", reason, due.Sub(w.now), n, s.Reason, probes)
				}
			}
			w.to(w.soon(due))
			probes, works = 0, !w.now.Before(over)
			lifted, before = works, w.now
			s := look()
			all += probes
			if probes != 1 {
				t.Fatalf("%s: %d probes at the time of the %d-th", reason, probes, n)
			}
			if want := map[bool]limiter.Reason{true: limiter.Active, false: reason}[works]; s.Reason != want {
				t.Fatalf("%s: after probe %d it is %q, want %q", reason, n, s.Reason, want)
			}
		}
		probes = 0
		s := look()
		shown, err := w.w.queue.Paused(t.Context(), "acme")
		if err != nil || s.Reason != limiter.Active || probes != 0 || shown {
			t.Fatalf("%s: when it is over it is %q, with %d probes", reason, s.Reason, probes)
		}
	}
	t.Logf("%d pauses, %d probes", pauses, all)
	if _, err := w.limiter.Pause(t.Context(), "acme", limiter.Operator, "", ""); err != nil {
		t.Fatal(err)
	}
	for range 48 { // Only an operator ends an operator's.
		w.to(w.now.Add(30 * time.Minute))
		if s := look(); s.Reason != limiter.Operator || probes != 0 {
			t.Fatalf("an operator's pause is %q, with %d probes", s.Reason, probes)
		}
	}
}

// kept is one extraction that has ended, and what the documentation says of its retention.
type kept struct {
	id               string
	document, record time.Time
	gone             bool
}

// Two weeks of what ends at any time in the first five days: each document and each record
// goes once, within a tick of its time and not before it, and nothing of them is left.
func TestWeekOfRetention(t *testing.T) {
	t.Parallel()
	const documents = 60
	v := newVendor()
	w := newWeek(t, v)
	begin := w.now
	var all []*kept
	erased := 0
	check := func() {
		t.Helper()
		for _, k := range all {
			if k.gone {
				continue
			}
			found, err := w.records.GetAll(t.Context(), []string{"acme"}, k.id)
			if err != nil {
				t.Fatal(err)
			}
			has, err := w.blobs.HasDocument(t.Context(), k.id)
			if err != nil {
				t.Fatal(err)
			}
			k.gone = len(found) == 0
			if due := !w.now.Before(k.record); k.gone != due {
				t.Errorf("%s: gone is %v, %v before the end of its retention", k.id, k.gone, k.record.Sub(w.now))
			}
			if due := !w.now.Before(k.document); has == due {
				t.Errorf("%s: its document is there: %v, %v before its end", k.id, has, k.document.Sub(w.now))
			}
		}
	}
	look := func() {
		t.Helper()
		got, err := w.tick()
		if err != nil {
			t.Fatal(err)
		}
		erased += got.Erased
		check()
	}
	arrive := make([]time.Time, documents)
	for i := range arrive {
		arrive[i] = begin.Add(time.Duration((float64(i) + w.rng.Float64()) / documents * float64(5*24*time.Hour)))
	}
	for w.now.Before(begin.Add(14 * 24 * time.Hour)) {
		next := begin.Add(14 * 24 * time.Hour)
		if due, err := w.rdb.ZRangeWithScores(t.Context(), "extractq:{acme}:due", 0, 0).Result(); err != nil {
			t.Fatal(err)
		} else if len(due) > 0 {
			next = w.soon(time.UnixMilli(int64(due[0].Score)))
		}
		if len(arrive) > 0 && arrive[0].Before(next) {
			w.to(arrive[0])
			all, arrive = append(all, w.ended(v)), arrive[1:]
			check()
			continue
		}
		if !next.After(w.now) {
			next = w.now.Add(time.Millisecond)
		}
		w.to(next)
		look()
	}
	if erased != documents {
		t.Errorf("%d erased, want each of %d once", erased, documents)
	}
	for range 3 {
		w.to(w.now.Add(24 * time.Hour))
		look()
	}
	if left, err := w.rdb.Keys(t.Context(), "extractq:{acme}:r:*").Result(); err != nil || len(left) > 0 || erased != documents {
		t.Errorf("%v are left (%v), %d erased", left, err, erased)
	}
}

// ended lets an extraction begin and end now, somehow.
func (w *week) ended(v *vendor) *kept {
	w.t.Helper()
	out := extraction.Outcome{Status: extraction.StatusExpired, VendorStatus: "EXPIRED"}
	brief := false // Of what may be repeated the document stays.
	switch w.rng.IntN(3) {
	case 0:
		out, brief = done(), true
	case 1:
		out = extraction.Outcome{Status: extraction.StatusError, VendorStatus: "FAILED"}
	}
	v.mu.Lock()
	v.onPoll = func(string, int) (extraction.Outcome, error) { return out, nil }
	v.mu.Unlock()
	id := w.submit("a document")
	if _, err := w.w.submit(w.t.Context(), w.payload(id)); err != nil {
		w.t.Fatal(err)
	}
	for range 100 {
		w.to(w.now.Add(5 * time.Second))
		if _, err := w.w.poll(w.t.Context(), w.payload(id)); err != nil {
			w.t.Fatal(err)
		}
		if r := w.get(id); r.Status.Final() {
			k := &kept{id: id, document: r.FinishedAt.Add(24 * time.Hour), record: r.FinishedAt.Add(168 * time.Hour)}
			if !brief {
				k.document = k.record
			}
			return k
		}
	}
	w.t.Fatalf("%s has not ended", id)
	return nil
}
