package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/polling"
)

// missed teaches the account that its lists have not shown what had finished.
func (r *rig) missed(ends int) {
	r.t.Helper()
	for range ends {
		observation := polling.Observation{Bins: map[int]float64{}, List: polling.NotifiedNo}
		if err := r.polls.Record(r.t.Context(), "acme", "t", observation); err != nil {
			r.t.Fatal(err)
		}
	}
}

// tended is how the lists are to be read after a tick.
func (r *rig) tended(w *Worker) polling.ReadyList {
	r.t.Helper()
	if err := w.accounts["acme"].planner.DecideReadyList(r.t.Context(), forbiddenDelay, time.Now()); err != nil {
		r.t.Fatal(err)
	}
	l, err := r.polls.ReadyList(r.t.Context(), "acme")
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

func (r *rig) latency() polling.History {
	r.t.Helper()
	all, _, err := r.polls.Histories(r.t.Context(), "acme", "")
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// Lists that have not shown what had finished, ever or any longer, are read now and then,
// and relied on again when they do show it.
func TestListIsTrustedAgain(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]int{"never right": 0, "once right": 40} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			r := newRig(t, v)
			r.slow(time.Second)
			for range shown {
				observation := polling.Observation{Bins: map[int]float64{}, List: polling.NotifiedYes}
				if err := r.polls.Record(t.Context(), "acme", "t", observation); err != nil {
					t.Fatal(err)
				}
			}
			r.missed(100)
			w := r.worker()
			var ids []string
			for range 60 {
				ids = append(ids, r.polling(w, "x", time.Second))
			}
			if l := r.tended(w); l.Trusted {
				t.Fatalf("lists that miss %v are relied on", r.latency().ListMissed)
			}
			if err := r.polls.SetReadyList(t.Context(), "acme", polling.ReadyList{}); err != nil {
				t.Fatal(err)
			}
			if l := r.tended(w); !l.OnProbation() {
				t.Fatalf("they are read %+v, want them on probation", l)
			}
			w = r.worker() // One whose forecasts are of now.
			// They show ten that have finished, and nothing was put off for them.
			for i := range 10 {
				v.ready = append(v.ready, extraction.ReadyItem{VendorID: fmt.Sprintf("v%d", i+1)})
			}
			if got, err := w.sweep(t.Context(), w.accounts["acme"]); err != nil || got.Hinted != 10 {
				t.Fatalf("sweep = %+v, %v", got, err)
			}
			for _, id := range ids[:10] {
				if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
					t.Fatal(err)
				}
			}
			w.accounts["acme"].planner.Flush(t.Context())
			if l := r.tended(w); !l.Trusted {
				t.Errorf("they miss %v and are read %+v", r.latency().ListMissed, l)
			}
		})
	}
}

// A probation that does not show what has finished leaves the lists unread: it is one request,
// and those that end after it say nothing of it.
func TestProbationFails(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var reads int
	v.onReady = func() { reads++ }
	r := newRig(t, v)
	r.slow(0)
	r.missed(100)
	w := r.worker()
	var ids []string
	for range 60 {
		ids = append(ids, r.polling(w, "x", 30*time.Second))
	}
	if l := r.tended(w); !l.OnProbation() {
		t.Fatalf("they are read %+v, want them on probation", l)
	}
	w = r.worker() // One whose forecasts are of now.
	for range 5 {  // One of them reads, and its reading counts.
		if _, err := w.sweep(t.Context(), w.accounts["acme"]); err != nil {
			t.Fatal(err)
		}
	}
	l, err := r.polls.ReadyList(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	before := r.latency()
	for i, tt := range []struct {
		what        string
		completedAt time.Time
		told        int
	}{
		{"ended before it", l.ReadAt.Add(-40 * time.Second), 1},
		{"ended beside it", l.ReadAt.Add(-time.Second), 0},
		{"ended at an unknown time, about half a minute before it", time.Time{}, 1},
	} {
		v.onPoll = func(string, int) (extraction.Outcome, error) {
			out := done()
			out.CompletedAt = tt.completedAt
			return out, nil
		}
		r.hset(ids[i], "hn", 1, "sub", l.ReadAt.Add(-50*time.Second).UnixMilli())
		if _, err := w.poll(t.Context(), r.payload(ids[i])); err != nil {
			t.Fatal(err)
		}
		w.accounts["acme"].planner.Flush(t.Context())
		after := r.latency()
		if got := after.ListEnds - before.ListEnds; got != tt.told || after.ListMissed < 0.99 {
			t.Errorf("one that %s counts as %d misses, want %d; they miss %v", tt.what, got, tt.told, after.ListMissed)
		}
		before = after
	}
	if l = r.tended(w); reads != 1 || !l.OnProbation() {
		t.Errorf("read %d times, and to be read %+v", reads, l)
	}
}
