package limiter

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The rate in use is what was admitted over the last ten seconds. The test moves
// the slots in place of the clock.
func TestUsed(t *testing.T) {
	t.Parallel()
	l, rdb := newLimiter(t)
	limits := accountKeys("acme").limits()
	used := func() float64 {
		t.Helper()
		got, err := l.Used(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	// over is how much of the present slot has passed.
	over := func() float64 {
		return math.Mod(float64(now(t, rdb).UnixMicro())/1e7, 1)
	}
	// startSlot keeps a slot from ending in the middle of a check.
	startSlot := func() {
		for deadline := time.Now().Add(15 * time.Second); over() > 0.8 && time.Now().Before(deadline); {
			<-time.After(50 * time.Millisecond)
		}
	}
	if got := used(); got != 0 {
		t.Errorf("an account without calls uses %v/s", got)
	}
	startSlot()
	for range 50 {
		if got := admit(t, l, OpPoll, 0, false); got.Verdict != Go {
			t.Fatal(got)
		}
	}
	if got := used(); got != 5 {
		t.Errorf("50 calls just now: %v/s, want 5", got)
	}
	// What is refused is not used.
	if err := l.Block(t.Context(), "acme", time.Hour); err != nil {
		t.Fatal(err)
	}
	admit(t, l, OpPoll, 0, true)
	if got := used(); got != 5 {
		t.Errorf("50 calls and a refused one: %v/s, want 5", got)
	}
	if err := rdb.HDel(t.Context(), limits, "blocked").Err(); err != nil {
		t.Fatal(err)
	}
	past := func(by int64) {
		t.Helper()
		if err := rdb.HIncrBy(t.Context(), limits, "slot", -by).Err(); err != nil {
			t.Fatal(err)
		}
	}
	within := func(what string, got, from, to float64) {
		t.Helper()
		if got < from-0.001 || got > to+0.001 {
			t.Errorf("%s: %v/s, want %v to %v", what, got, from, to)
		}
	}
	startSlot()
	// The calls are of the present slot, also where the one of theirs has ended since.
	if err := rdb.HSet(t.Context(), limits, "slot", now(t, rdb).Unix()/10).Err(); err != nil {
		t.Fatal(err)
	}
	past(1)
	before := over()
	got := used()
	within("50 calls in the slot before", got, 5*(1-over()), 5*(1-before))
	for range 10 {
		admit(t, l, OpSubmit, 0, false)
	}
	before = over()
	got = used()
	within("and 10 in this one", got, 5*(1-over())+1, 5*(1-before)+1)
	past(2)
	if got := used(); got != 0 {
		t.Errorf("all calls long ago: %v/s, want 0", got)
	}
	admit(t, l, OpProbe, 0, false)
	if got := used(); got != 0.1 {
		t.Errorf("one call after a long time: %v/s, want 0.1", got)
	}
	// A call that was given a moment of the next slot.
	past(-1)
	if err := rdb.HSet(t.Context(), limits, "slot.before", 40).Err(); err != nil {
		t.Fatal(err)
	}
	before = over()
	got = used()
	within("40 calls in this slot and one in the next", got, 4/over(), 4/before)
}

// A rate that is fully used shows as that rate.
func TestUsedIsTheRate(t *testing.T) {
	t.Parallel()
	l, rdb := newLimiter(t)
	stop := now(t, rdb).Add(2 * time.Second)
	n := 0
	for now(t, rdb).Before(stop) {
		if admit(t, l, OpPoll, 100, true).Verdict == Go {
			n++
		}
	}
	got, err := l.Used(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	// At the least they are all counted in the last ten seconds; a slot that was
	// begun just before counts them over what has passed of it.
	// How many there are is the machine's to say.
	if at := now(t, rdb); at.Add(time.Second).Unix()/10 > at.Unix()/10 {
		n -= 100 // Of a slot that is still to come is what has its moment there.
	}
	if got > 103 || got < float64(n)/10*0.95 {
		t.Errorf("%d calls at 100/s show as %v/s", n, got)
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	l, rdb := newLimiter(t)
	state := func() State {
		t.Helper()
		s, err := l.State(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := now(t, rdb).Truncate(time.Millisecond)
	if err := l.Trouble(t.Context(), "acme", "vendor_failed", "poll: transient: 502 Bad Gateway"); err != nil {
		t.Fatal(err)
	}
	got := state().LastError
	if got.At.Before(before) || got.At.After(now(t, rdb)) {
		t.Errorf("at %v, want Redis's time, after %v", got.At, before)
	}
	got.At = time.Time{}
	if diff := cmp.Diff(Trouble{Code: "vendor_failed", Message: "poll: transient: 502 Bad Gateway"}, got); diff != "" {
		t.Errorf("LastError (-want +got):\n%s", diff)
	}
	// It outlives a pause and what lifts it: it says what was, with its time.
	if _, err := l.Pause(t.Context(), "acme", Unauthorized, "key", "401"); err != nil {
		t.Fatal(err)
	}
	if err := l.Trouble(t.Context(), "acme", "unauthorized", strings.Repeat("ä", 600)); err != nil {
		t.Fatal(err)
	}
	if err := l.Lift(t.Context(), "acme", Unauthorized); err != nil {
		t.Fatal(err)
	}
	got = state().LastError
	if want := strings.Repeat("ä", 250) + "…"; got.Code != "unauthorized" || got.Message != want {
		t.Errorf("LastError = %+v, want the latest, cut to one line", got)
	}
	if got.Over.Before(got.At) {
		t.Errorf("over at %v, want when the pause was lifted, after %v", got.Over, got.At)
	}
}

// Trouble is over with the first call that works, and not while the account is paused.
func TestTroubleIsOver(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	over := func() time.Time {
		t.Helper()
		s, err := l.State(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return s.LastError.Over
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	works := func() error { _, err := l.Report(t.Context(), "acme", "a", OpPoll, true); return err }
	must(works())
	must(l.Trouble(t.Context(), "acme", "vendor_quota", "402"))
	if _, err := l.Pause(t.Context(), "acme", Quota, "", "402"); err != nil {
		t.Fatal(err)
	}
	must(works()) // A poll, which a used-up plan does not stop.
	if got := over(); !got.IsZero() {
		t.Errorf("over at %v while the account is paused for it", got)
	}
	must(l.Resume(t.Context(), "acme"))
	must(works())
	first := over()
	must(works())
	if got := over(); got.IsZero() || !got.Equal(first) {
		t.Errorf("over at %v, want when the first call worked, %v", got, first)
	}
	must(l.Trouble(t.Context(), "acme", "vendor_failed", "502"))
	if got := over(); !got.IsZero() {
		t.Errorf("new trouble is over since %v", got)
	}
}

// The keys that were refused are remembered, each once, and not without end.
func TestRefusedKeys(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	if _, err := l.Pause(t.Context(), "acme", Unauthorized, "k0", ""); err != nil {
		t.Fatal(err)
	}
	for key := range strings.FieldsSeq("k1 k0 k1 k2 k3 k4 k5 k6 k7 k8 k9") {
		s, err := l.State(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Probed(t.Context(), "acme", s, key, ""); err != nil {
			t.Fatal(err)
		}
	}
	s, err := l.State(t.Context(), "acme")
	if diff := cmp.Diff(strings.Fields("k2 k3 k4 k5 k6 k7 k8 k9"), s.Keys); err != nil || diff != "" {
		t.Errorf("refused keys, %v (-want +got):\n%s", err, diff)
	}
}

// What is shown of a pause fits into one line of a table, whatever the vendor said.
func TestPauseMessageIsCut(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	long := strings.Repeat("x", 10*maxMessage)
	if _, err := l.Pause(t.Context(), "acme", Unauthorized, "k1", long); err != nil {
		t.Fatal(err)
	}
	s, err := l.State(t.Context(), "acme")
	if err != nil || s.Message != cut(long) {
		t.Errorf("paused with a message of %d bytes, %v, want %d", len(s.Message), err, len(cut(long)))
	}
	if err := l.Probed(t.Context(), "acme", s, "k1", long); err != nil {
		t.Fatal(err)
	}
	if s, err = l.State(t.Context(), "acme"); err != nil || s.Message != cut(long) {
		t.Errorf("probed with a message of %d bytes, %v, want %d", len(s.Message), err, len(cut(long)))
	}
}

// TestHasten makes a probe due now, and no operator's pause.
func TestHasten(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	ctx := t.Context()
	hasten := func() State {
		t.Helper()
		if err := l.Hasten(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
		s, err := l.State(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := hasten(); !s.ProbeAt.IsZero() {
		t.Errorf("an active account has a probe at %v", s.ProbeAt)
	}
	if _, err := l.Pause(ctx, "acme", Unavailable, "", "down"); err != nil {
		t.Fatal(err)
	}
	if s := hasten(); s.ProbeAt.After(time.Now().Add(10*time.Second)) || s.Reason != Unavailable {
		t.Errorf("the next probe is in %v, and the pause %q", time.Until(s.ProbeAt), s.Reason)
	}
	if err := l.Resume(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Pause(ctx, "acme", Operator, "", ""); err != nil {
		t.Fatal(err)
	}
	before, err := l.State(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	if s := hasten(); !s.ProbeAt.Equal(before.ProbeAt) {
		t.Errorf("an operator's pause had its probe at %v, and has it at %v now", before.ProbeAt, s.ProbeAt)
	}
}
