package limiter

import (
	"testing"
	"time"

	"github.com/extractq/extractq/internal/redistest"
)

// While the store fails no call but a probe of the vendor goes out; the waits grow, also
// where it works for a moment in between; and a call whose answer was lost is answered as
// before.
func TestStoreWaits(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	l, every := New(rdb, anyTime{rdb}), StoreWait{First: time.Minute, Most: 5 * time.Minute}
	fails := func(token string) (bool, time.Duration) {
		t.Helper()
		began, wait, err := l.StoreFails(t.Context(), "acme", token, every, "no space left on device")
		if err != nil {
			t.Fatal(err)
		}
		return began, wait.Round(10 * time.Second)
	}
	probe := func(token string) bool {
		t.Helper()
		mine, err := l.ProbeStore(t.Context(), "acme", token, every)
		if err != nil {
			t.Fatal(err)
		}
		return mine
	}
	due := func() {
		t.Helper()
		if err := rdb.HSet(t.Context(), "extractq:{acme}:account", "store_probe_at", 1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if probe("p0") {
		t.Error("a store that works is probed")
	}
	for _, tt := range []struct {
		token string
		began bool
	}{{"a", true}, {"a", true}, {"b", false}} {
		if began, wait := fails(tt.token); began != tt.began || wait != time.Minute {
			t.Errorf("%s: began %t, the probe is in %v", tt.token, began, wait)
		}
	}
	for op, want := range map[Op]Verdict{OpSubmit: StoreFails, OpPoll: StoreFails, OpSweep: StoreFails, OpProbe: Go} {
		if got, err := l.Admit(t.Context(), "acme", op, 0, time.Second); err != nil || got.Verdict != want {
			t.Errorf("%s: %+v, %v, want %s", op, got, err, want)
		}
	}
	if _, err := l.Report(t.Context(), "acme", "x", OpPoll, true); err != nil {
		t.Fatal(err)
	}
	if s, err := l.State(t.Context(), "acme"); err != nil || s.LastError.Code != "store_unavailable" || !s.LastError.Over.IsZero() || s.Reason != Active {
		t.Errorf("state %+v, %v", s, err)
	}
	if probe("p1") {
		t.Error("it is probed before its time")
	}
	for _, want := range []time.Duration{2 * time.Minute, 4 * time.Minute, 5 * time.Minute} {
		due()
		mine, replayed, others := probe("p"+want.String()), probe("p"+want.String()), probe("other")
		if !mine || !replayed || others {
			t.Error("not one caller probes")
		}
		if _, wait := fails("c"); wait != want {
			t.Errorf("the next probe is in %v, want %v", wait, want)
		}
	}
	for range 2 {
		if _, ended, err := l.StoreWorks(t.Context(), "acme", "w"); err != nil || !ended {
			t.Errorf("it has not ended: %v", err)
		}
	}
	if _, ended, err := l.StoreWorks(t.Context(), "acme", "v"); err != nil || ended {
		t.Errorf("it ended twice: %v", err)
	}
	if s, err := l.State(t.Context(), "acme"); err != nil || s.LastError.Over.IsZero() || !s.StoreSince.IsZero() {
		t.Errorf("state %+v, %v", s, err)
	}
	if began, wait := fails("d"); !began || wait != every.Most {
		t.Errorf("soon after: began %t, the probe is in %v, want %v", began, wait, every.Most)
	}
}
