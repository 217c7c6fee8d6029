package worker

import (
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/polling"
	"github.com/extractq/extractq/polling/plan"
)

// seen is what the account has learned.
func (r *rig) seen(label string) (law plan.Law, n float64) {
	r.t.Helper()
	_, own, err := r.polls.Histories(r.t.Context(), "acme", label)
	if err != nil {
		r.t.Fatal(err)
	}
	h := plan.Histogram(own.Bins)
	return plan.Estimate(h, nil, plan.Prior()), h.Weight()
}

// The end of an extraction is learned once: exactly where the vendor says when it
// finished, between two answers where it does not, and not at all where it is unknown
// when it began or the vendor gave no verdict.
func TestLearnsLatency(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		out      extraction.Outcome
		doneAgo  time.Duration // By the vendor's word; 0 for none.
		adopted  bool
		want     float64
		from, to float64 // The seconds it must lie between.
	}{
		{"the vendor says when", extraction.Outcome{Status: extraction.StatusSuccess}, 40 * time.Second, false, 1, 58, 62},
		{"it failed", extraction.Outcome{Status: extraction.StatusError}, 40 * time.Second, false, 1, 58, 62},
		{"it does not say", extraction.Outcome{Status: extraction.StatusSuccess}, 0, false, 1, 69, 101},
		{"it says nonsense", extraction.Outcome{Status: extraction.StatusSuccess}, -time.Hour, false, 1, 69, 101},
		{"before the submission", extraction.Outcome{Status: extraction.StatusSuccess}, time.Hour, false, 1, 69, 101},
		{"it expired", extraction.Outcome{Status: extraction.StatusExpired}, 0, false, 0, 0, 0},
		{"adopted", extraction.Outcome{Status: extraction.StatusSuccess}, 40 * time.Second, true, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onPoll = func(string, int) (extraction.Outcome, error) {
				out := tt.out
				if out.Status == extraction.StatusSuccess {
					out.Result = done().Result
				}
				if tt.doneAgo != 0 {
					out.CompletedAt = time.Now().Add(-tt.doneAgo)
				}
				return out, nil
			}
			r := newRig(t, v)
			w := r.worker()
			id := r.polling(w, "x", 100*time.Second)
			r.hset(id, "ny", ago(30*time.Second))
			if tt.adopted {
				r.hset(id, "at", 0)
			}
			p := r.payload(id)
			for range 2 { // The second task finds it final.
				if _, err := w.poll(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			if st := r.get(id).Status; !st.Final() {
				t.Fatalf("it is %s", st)
			}
			w.accounts["acme"].planner.Flush(t.Context())
			law, n := r.seen(r.get(id).TypeLabel())
			if n < tt.want-0.01 || n > tt.want+0.01 {
				t.Fatalf("learned from %v extractions, want %v", n, tt.want)
			}
			// One sample among the ten of the prior.
			if got := law.At(tt.to) - law.At(tt.from) - plan.Prior().At(tt.to) + plan.Prior().At(tt.from); n > 0 && got < 0.06 {
				t.Errorf("between %v and %v s there is %.3f more than before", tt.from, tt.to, got)
			}
		})
	}
}

// A worker that has learned that the vendor takes a minute and a half does not ask after three
// seconds.
func TestFirstPollIsLearned(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	before := r.get(r.polling(r.worker(), "x", time.Second))
	if wait := before.Due.Sub(before.CreatedAt); wait > 10*time.Second {
		t.Errorf("it knows nothing and asks after %v", wait)
	}
	h := plan.Histogram{}
	for s := 80.0; s < 100; s++ {
		h.Add(s, 10)
	}
	if err := r.polls.Record(t.Context(), "acme", before.TypeLabel(), polling.Observation{Bins: h}); err != nil {
		t.Fatal(err)
	}
	after := r.get(r.polling(r.worker(), "y", time.Second))
	if wait := after.Due.Sub(after.CreatedAt); wait < 20*time.Second || wait > 110*time.Second {
		t.Errorf("it has learned and asks after %v", wait)
	}
}

// A poll right before the deadline that finds "not yet" is followed by one at the
// deadline, and not by one after the other until then.
func TestPollBeforeDeadline(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) { return pending(), nil }
	r := newRig(t, v)
	w := r.worker()
	for range 20 {
		id := r.polling(w, "x", time.Second)
		// The deadline is 0.9 s after a whole second, and it is asked for 0.3 s before that.
		second := time.Now().Add(400 * time.Millisecond).Truncate(time.Second).Add(time.Second)
		deadline := second.Add(900 * time.Millisecond)
		<-time.After(time.Until(second.Add(600 * time.Millisecond)))
		r.hset(id, "sub", deadline.Add(-r.cfg.Accounts[0].Deadline).UnixMilli())
		if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
		if !time.Now().Before(deadline) {
			continue // The machine was too slow for this one.
		}
		if rec := r.get(id); rec.Status != extraction.StatusInProgress || rec.Due.Before(deadline) {
			t.Errorf("it is %s and due %v after the whole second, want it at the deadline", rec.Status, rec.Due.Sub(second))
		}
		return
	}
	t.Error("no poll came before the deadline")
}

// How long a lost submission may still turn up is learned, once there is enough to
// learn from.
func TestUncertainWindowIsLearned(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	window := func(n float64) time.Duration {
		t.Helper()
		if n > 0 {
			h := plan.Histogram{}
			h.Add(1800, n)
			if err := r.polls.Record(t.Context(), "acme", "t", polling.Observation{Bins: h}); err != nil {
				t.Fatal(err)
			}
		}
		w := r.worker()
		a := w.accounts["acme"]
		s := step{w: w, acct: a, forecast: a.planner.Forecast(t.Context(), "t")}
		return s.uncertainWindow()
	}
	for _, n := range []float64{0, 19} {
		if got := window(n); got != r.cfg.UncertainWindow {
			t.Errorf("after %v extractions %v, want the configured %v", n, got, r.cfg.UncertainWindow)
		}
	}
	if got := window(500); got < 31*time.Minute || got > time.Hour {
		t.Errorf("after 500 that took half an hour: %v", got)
	}
	for bound, want := range map[time.Duration]time.Duration{
		5 * time.Second: 5 * time.Second, 2 * time.Hour: window(0),
	} {
		r.cfg.Accounts[0].UncertainWindow = bound
		if got := window(0); got != want {
			t.Errorf("with a bound of %v: %v, want %v", bound, got, want)
		}
	}
}

// A worker that stops writes what it has learned in its last second.
func TestLearnsUntilItStops(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	stop := r.start()
	id := r.submit("x")
	r.final(id)
	stop()
	if _, n := r.seen("t"); n < 0.99 {
		t.Errorf("learned from %v extractions, want 1", n)
	}
}
