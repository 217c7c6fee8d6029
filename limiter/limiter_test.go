package limiter

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
)

// anyTime is a clock that may show anything.
type anyTime struct{ rdb *redis.Client }

func (c anyTime) Call(ctx context.Context, script *redis.Script, _ string, keys []string, args ...any) *redis.Cmd {
	return script.Run(ctx, c.rdb, keys, append(args, 0, 0)...)
}

func newLimiter(t testing.TB) (*Limiter, *redis.Client) {
	t.Helper()
	rdb := redistest.Client(t)
	return New(rdb, anyTime{rdb}), rdb
}

// slow is a rate at which no moment passes while a loaded machine goes on with a test: 20 s
// lie between two calls.
const slow = 0.05

func admit(t testing.TB, l *Limiter, op Op, rate float64, canWait bool) Admission {
	t.Helper()
	patience := time.Duration(0)
	if canWait {
		patience = op.Patience()
	}
	a, err := l.Admit(t.Context(), "acme", op, rate, patience)
	if err != nil {
		t.Fatalf("Admit: %v", err)
	}
	return a
}

func now(t testing.TB, rdb *redis.Client) time.Time {
	t.Helper()
	at, err := rdb.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// place is the moment that a call was given, and when it was asked for at the latest, in
// microseconds of Redis's clock.
type place struct{ at, asked int64 }

// reserve admits one call. A transaction reads the reservation with the admission.
func reserve(t testing.TB, rdb *redis.Client, op Op, rate float64, interval int64) (place, bool) {
	t.Helper()
	k := accountKeys("acme")
	var verdict *redis.Cmd
	var end *redis.StringCmd
	var asked *redis.TimeCmd
	_, err := rdb.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		verdict = p.Eval(t.Context(), timeLua+admitLua, []string{k.limits(), k.state()}, interval, op.Patience().Microseconds(), op.lead().Microseconds(), string(op), 0, 0)
		end = p.HGet(t.Context(), k.limits(), "tat")
		asked = p.Time(t.Context())
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatalf("admit at %v/s: %v", rate, err)
	}
	got, _ := verdict.Slice()
	if got[0] != "go" {
		return place{}, false
	}
	to, err := end.Int64()
	if err != nil {
		t.Fatal(err)
	}
	return place{to - interval, asked.Val().UnixMicro()}, true
}

// Many callers at once: the moments they are given are never closer than the
// interval, so that no second holds more than the rate and one.
func TestRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{3, 50, 400} {
		_, rdb := newLimiter(t)
		interval := int64(1e6/rate*headroom) + 1
		var mu sync.Mutex
		var places []place
		var wg sync.WaitGroup
		stop := now(t, rdb).Add(1500 * time.Millisecond).UnixMicro()
		for i := range 32 {
			op := []Op{OpSubmit, OpPoll, OpReady}[i%3]
			wg.Go(func() {
				for {
					got, ok := reserve(t, rdb, op, rate, interval)
					if ok {
						mu.Lock()
						places = append(places, got)
						mu.Unlock()
					}
					if got.at > stop || !ok && now(t, rdb).UnixMicro() > stop {
						return
					}
				}
			})
		}
		wg.Wait()
		slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
		for i := 1; i < len(places); i++ {
			d := places[i].at - places[i-1].at
			if d < interval {
				t.Errorf("at %v/s two calls are %d us apart, want at least %d", rate, d, interval)
			}
			// The rate is also used: no call waits longer than that.
			if d > interval && places[i].at > places[i].asked {
				t.Errorf("at %v/s a call that could have been made waits for %d us", rate, places[i].at-places[i].asked)
			}
		}
		most := 0
		for i, from := range places {
			n := 0
			for _, p := range places[i:] {
				if p.at-from.at < 1e6 {
					n++
				}
			}
			most = max(most, n)
		}
		if most > int(rate)+1 {
			t.Errorf("at %v/s one second holds %d calls", rate, most)
		}
	}
}

// The script as Admit calls it: waits grow by the interval up to the patience of
// the kind of call, and who is sent away comes back one interval apart.
func TestAdmitWaits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		op      Op
		canWait bool
	}{{OpSubmit, true}, {OpPoll, true}, {OpReady, true}, {OpProbe, true}, {OpPoll, false}} {
		l, _ := newLimiter(t)
		const rate = 0.2 // One interval is far beyond any patience.
		if got := admit(t, l, tt.op, rate, tt.canWait); got.Verdict != Go || got.Wait != 0 {
			t.Errorf("first %s = %+v, want go at once", tt.op, got)
		}
		var waits []time.Duration
		for range 5 {
			got := admit(t, l, tt.op, rate, tt.canWait)
			if got.Verdict != Later {
				t.Fatalf("%s = %+v, want later", tt.op, got)
			}
			waits = append(waits, got.Wait)
		}
		for i := 1; i < len(waits); i++ {
			// Of submissions there are not many, as the line of those that wait for their
			// turn is elsewhere; and no probe comes back.
			if tt.op == OpSubmit || tt.op == OpProbe {
				if waits[i] > waits[i-1] {
					t.Errorf("%s: sent away for %v", tt.op, waits)
				}
				continue
			}
			if d := waits[i] - waits[i-1]; d < 2*time.Second || d > 5150*time.Millisecond {
				t.Errorf("%s: sent away %v apart, want one interval less what passed", tt.op, d)
			}
		}
	}
	l, _ := newLimiter(t)
	for range 100 {
		if got := admit(t, l, OpSubmit, 0, false); got.Verdict != Go || got.Wait != 0 {
			t.Fatalf("without a rate: %+v, want go at once", got)
		}
	}
}

// A second's moments are the polls' that come at its beginning, whatever waits for
// submission; what they leave is the submissions', to the last moment.
func TestPollsFirst(t *testing.T) {
	t.Parallel()
	l, rdb := newLimiter(t)
	const rate = 10
	waits := func() time.Duration {
		for {
			if got := admit(t, l, OpSubmit, rate, true); got.Verdict != Go {
				if got.Verdict != Wait || got.Wait > time.Duration(interval(rate))*time.Microsecond {
					t.Fatalf("a submission is to %+v, want it to wait for the next moment", got)
				}
				return got.Wait
			}
		}
	}
	waits()
	polls := 0
	for admit(t, l, OpPoll, rate, true).Verdict == Go {
		polls++
	}
	if polls < 7 {
		t.Errorf("behind the submissions that wait %d polls find a moment, want nearly a second's", polls)
	}
	if got := admit(t, l, OpSubmit, rate, true); got.Verdict == Go {
		t.Errorf("a submission before the polls: %+v", got)
	}
	// A call that comes back when it was told to gets the moment after them, and none is lost.
	end, err := rdb.HGet(t.Context(), accountKeys("acme").limits(), "tat").Int64()
	if err != nil {
		t.Fatal(err)
	}
	for {
		got := admit(t, l, OpSubmit, rate, true)
		at := now(t, rdb).Add(got.Wait).UnixMicro()
		if got.Verdict == Go {
			if at < end-1000 {
				t.Errorf("the submission is made %d us before its moment", end-at)
			}
			break
		}
		time.Sleep(got.Wait)
	}
}

// A poll that comes new leaves the moments of the next second to those that were sent
// away before, which come back for them.
func TestPollsStandInLine(t *testing.T) {
	t.Parallel()
	l, rdb := newLimiter(t)
	limits := accountKeys("acme").limits()
	for range 50 {
		at := now(t, rdb)
		second := at.Truncate(time.Second)
		if d := at.Sub(second); d < 200*time.Millisecond || d > 500*time.Millisecond {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		next := second.Add(1050 * time.Millisecond).UnixMicro()
		if err := rdb.HSet(t.Context(), limits, "tat", next, "far", second.Add(3*time.Second).UnixMicro()).Err(); err != nil {
			t.Fatal(err)
		}
		fresh := admit(t, l, OpPoll, 10, true)
		again := admit(t, l, OpRepoll, 10, true)
		if now(t, rdb).Sub(second) > time.Second {
			continue // It took too long.
		}
		if fresh.Verdict != Later || fresh.Wait < time.Second {
			t.Errorf("one that comes new is to %+v, want it at the end of the line", fresh)
		}
		if again.Verdict != Go {
			t.Errorf("one that comes back is to %+v, want go", again)
		}
		return
	}
	t.Fatal("no moment in the middle of a second")
}

// A poll that cannot be made now comes back among the polls: thousands of
// submissions that were sent away before it must not keep it waiting.
func TestPollsBeforeBacklog(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	const rate = 10
	for range 2000 {
		admit(t, l, OpSubmit, rate, true)
	}
	if got := admit(t, l, OpPoll, rate, false); got.Verdict != Later || got.Wait > 2*time.Second {
		t.Errorf("a poll behind 2000 submissions = %+v, want it back in a moment", got)
	}
}

// A reading of the lists that is sent away does not come back: it must not put off the
// polls that do.
func TestDroppedSweepTakesNoPlace(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	for admit(t, l, OpPoll, slow, true).Verdict == Go {
	}
	for range 100 {
		admit(t, l, OpSweep, slow, true)
	}
	if got := admit(t, l, OpPoll, slow, true); got.Verdict != Later || got.Wait > time.Minute {
		t.Errorf("a poll after 100 readings that were sent away = %+v, want it back within a minute", got)
	}
}

// Polls that are sent away and made to run again, as hints do it, take a place each time.
// However often that was, no call is sent away for longer than there may be between two
// polls.
func TestFarIsBounded(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	for admit(t, l, OpPoll, 1, true).Verdict == Go {
	}
	for range 2000 {
		admit(t, l, OpReady, 1, true)
	}
	if got := admit(t, l, OpPoll, 1, false); got.Verdict != Later || got.Wait > 5*time.Minute+5*time.Second {
		t.Errorf("after 2,000 that came again: %+v, want it back within five minutes", got)
	}
}

// Redis's clock may go back, as where a replica takes over: what was reserved by the
// clock before is not waited for.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	l, rdb := newLimiter(t)
	ahead := now(t, rdb).Add(time.Hour).UnixMicro()
	if err := rdb.HSet(t.Context(), accountKeys("acme").limits(), "tat", ahead, "far", ahead).Err(); err != nil {
		t.Fatal(err)
	}
	for admit(t, l, OpReady, slow, true).Verdict == Go {
	}
	if got := admit(t, l, OpReady, slow, true); got.Verdict != Later || got.Wait > time.Minute {
		t.Errorf("an hour back, one that is sent away is to %+v", got)
	}
	if err := rdb.HSet(t.Context(), accountKeys("acme").limits(), "tat", ahead, "far", ahead).Err(); err != nil {
		t.Fatal(err)
	}
	if got := admit(t, l, OpPoll, 10, true); got.Verdict != Go {
		t.Errorf("an hour back: %+v, want go", got)
	}
}

// Each kind reserves as far ahead as its rank: when all new ones are sent
// away, those that were sent away before still find a slot, and polls after them.
func TestRanks(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	const rate = 20 // The moments are 50 ms apart.
	given := 0
	for _, op := range []Op{OpSubmit, OpResubmit, OpPoll} {
		n := 0
		for n <= 50 && admit(t, l, op, rate, true).Verdict == Go {
			n++
		}
		if n == 0 || n > 50 {
			t.Errorf("%s was given %d moments after %d of others, want some, and an end of it", op, n, given)
		}
		given += n
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	block := func(d time.Duration) {
		t.Helper()
		if err := l.Block(t.Context(), "acme", d); err != nil {
			t.Fatal(err)
		}
	}
	block(time.Hour)
	block(time.Second) // Shortens nothing.
	for _, op := range []Op{OpSubmit, OpPoll, OpReady, OpProbe} {
		got := admit(t, l, op, 1000, true)
		if got.Verdict != Later || got.Wait < 59*time.Minute {
			t.Errorf("%s in a block = %+v, want later in an hour", op, got)
		}
	}
	block(2 * time.Hour)
	if got := admit(t, l, OpPoll, 1000, true); got.Wait < 119*time.Minute {
		t.Errorf("a poll in a longer block = %+v, want later in two hours", got)
	}
	if other, err := l.Admit(t.Context(), "other", OpPoll, 1000, time.Second); err != nil || other.Verdict != Go {
		t.Errorf("another account = %+v, %v, want go", other, err)
	}

	// A block shorter than the patience is waited out in place.
	l, _ = newLimiter(t)
	if err := l.Block(t.Context(), "acme", 500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := admit(t, l, OpPoll, 1000, true); got.Verdict != Go || got.Wait <= 0 || got.Wait > 500*time.Millisecond {
		t.Errorf("a poll in a short block = %+v, want go after it", got)
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reason Reason
		stops  map[Op]bool
		probe  time.Duration
	}{
		{Operator, map[Op]bool{OpSubmit: true, OpResubmit: true, OpPoll: true, OpRepoll: true, OpReady: true, OpProbe: false}, 0},
		{Unauthorized, map[Op]bool{OpSubmit: true, OpResubmit: true, OpPoll: true, OpRepoll: true, OpReady: true, OpProbe: false}, 5 * time.Minute},
		{Unavailable, map[Op]bool{OpSubmit: true, OpResubmit: true, OpPoll: true, OpRepoll: true, OpReady: true, OpProbe: false}, 30 * time.Second},
		{Quota, map[Op]bool{OpSubmit: true, OpResubmit: true, OpPoll: false, OpRepoll: false, OpReady: true, OpProbe: false}, time.Hour},
	} {
		t.Run(string(tt.reason), func(t *testing.T) {
			t.Parallel()
			l, rdb := newLimiter(t)
			before := now(t, rdb)
			if changed, err := l.Pause(t.Context(), "acme", tt.reason, "key", "why"); err != nil || !changed {
				t.Fatalf("Pause = %v, %v, want a change", changed, err)
			}
			for op, stopped := range tt.stops {
				got := admit(t, l, op, 1000, true)
				if (got.Verdict == Paused) != stopped || stopped && got.Wait != 5*time.Second {
					t.Errorf("%s = %+v, want stopped: %v", op, got, stopped)
				}
			}
			if tt.reason.StopsPolls() != tt.stops[OpPoll] {
				t.Errorf("StopsPolls = %v", tt.reason.StopsPolls())
			}
			s, err := l.State(t.Context(), "acme")
			if err != nil || s.Reason != tt.reason || !slices.Equal(s.Keys, []string{"key"}) || s.Message != "why" || s.Probes != 0 {
				t.Errorf("State = %+v, %v", s, err)
			}
			if late := s.ProbeAt.Sub(before); late < tt.probe-time.Millisecond || late > tt.probe+10*time.Second {
				t.Errorf("probed %v after the pause, want %v", late, tt.probe)
			}
			if changed, err := l.Pause(t.Context(), "acme", tt.reason, "other", "again"); err != nil || changed {
				t.Errorf("the same pause again = %v, %v, want no change", changed, err)
			}
			if again, _ := l.State(t.Context(), "acme"); !reflect.DeepEqual(again, s) {
				t.Errorf("State = %+v after the same pause again, want %+v", again, s)
			}
			if err := l.Resume(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			if got, err := l.State(t.Context(), "acme"); err != nil || !reflect.DeepEqual(got, State{}) {
				t.Errorf("State = %+v, %v after Resume, want active", got, err)
			}
			if got := admit(t, l, OpSubmit, 1000, true); got.Verdict != Go {
				t.Errorf("a submission after Resume = %+v", got)
			}
		})
	}
}

// An operator's pause replaces any other and is replaced by none.
func TestOperatorPauseStays(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	pause := func(r Reason, want bool) {
		t.Helper()
		if changed, err := l.Pause(t.Context(), "acme", r, "", ""); err != nil || changed != want {
			t.Errorf("Pause(%s) = %v, %v, want %v", r, changed, err, want)
		}
	}
	pause(Unavailable, true)
	pause(Unauthorized, true)
	pause(Operator, true)
	for _, r := range []Reason{Unavailable, Unauthorized, Quota, Operator} {
		pause(r, false)
	}
	if s, err := l.State(t.Context(), "acme"); err != nil || s.Reason != Operator {
		t.Errorf("State = %+v, %v, want the operator's", s, err)
	}
}

// Lifting ends the pause it is about, and none that came meanwhile.
func TestLift(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ paused, lifted, want Reason }{
		{Unavailable, Unavailable, Active},
		{Unavailable, Quota, Unavailable},
		{Operator, Unavailable, Operator},
		{Active, Unavailable, Active},
	} {
		l, _ := newLimiter(t)
		if tt.paused != Active {
			if _, err := l.Pause(t.Context(), "acme", tt.paused, "", ""); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Lift(t.Context(), "acme", tt.lifted); err != nil {
			t.Fatal(err)
		}
		if s, err := l.State(t.Context(), "acme"); err != nil || s.Reason != tt.want {
			t.Errorf("%q lifted as %q: %q, %v, want %q", tt.paused, tt.lifted, s.Reason, err, tt.want)
		}
	}
}

// An account that is lifted in doubt again and again, and never works, is lifted more and
// more seldom; one call that works, or a lift without doubt, ends that.
func TestLiftInDoubt(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]func(l *Limiter) error{
		"a call works": func(l *Limiter) error { _, err := l.Report(t.Context(), "acme", "id", OpPoll, true); return err },
		"no doubt":     func(l *Limiter) error { return l.Lift(t.Context(), "acme", Unauthorized) },
		"by hand":      func(l *Limiter) error { return l.Resume(t.Context(), "acme") },
	} {
		l, _ := newLimiter(t)
		pause := func() (doubted time.Duration) {
			t.Helper()
			if _, err := l.Pause(t.Context(), "acme", Unauthorized, "", ""); err != nil {
				t.Fatal(err)
			}
			s, err := l.State(t.Context(), "acme")
			if err != nil || s.Reason != Unauthorized {
				t.Fatalf("%+v, %v", s, err)
			}
			if s.DoubtedUntil().IsZero() {
				return 0
			}
			return s.DoubtedUntil().Sub(s.Since)
		}
		for i, want := range []time.Duration{0, 10, 20, 40, 60, 60, 60} {
			if got := pause(); got != want*time.Minute {
				t.Errorf("pause %d is not to be lifted in doubt for %v, want %d minutes", i+1, got, want)
			}
			if err := l.LiftInDoubt(t.Context(), "acme", Unauthorized); err != nil {
				t.Fatal(err)
			}
		}
		pause()
		if err := ends(l); err != nil {
			t.Fatal(err)
		}
		if got := pause(); got != 0 {
			t.Errorf("%s, and after that it is not to be lifted in doubt for %v", name, got)
		}
	}
}

func TestProbed(t *testing.T) {
	t.Parallel()
	for reason, want := range map[Reason][]time.Duration{
		Unavailable:  {time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute},
		Unauthorized: {5 * time.Minute, 5 * time.Minute},
		Quota:        {time.Hour, time.Hour},
	} {
		l, rdb := newLimiter(t)
		if _, err := l.Pause(t.Context(), "acme", reason, "k1", ""); err != nil {
			t.Fatal(err)
		}
		for i, wait := range want {
			s, err := l.State(t.Context(), "acme")
			if err != nil || s.Probes != i {
				t.Fatalf("State = %+v, %v, want %d probes", s, err, i)
			}
			before := now(t, rdb)
			if err := l.Probed(t.Context(), "acme", s, "k2", "still"); err != nil {
				t.Fatal(err)
			}
			s, _ = l.State(t.Context(), "acme")
			if late := s.ProbeAt.Sub(before); late < wait-time.Millisecond || late > wait+10*time.Second {
				t.Errorf("%s: probe %d is %v after the one before, want %v", reason, i+1, late, wait)
			}
			if !slices.Equal(s.Keys, []string{"k1", "k2"}) || s.Message != "still" || s.Reason != reason {
				t.Errorf("State = %+v", s)
			}
		}
	}
}

// The vendor is unavailable after five failures in a row from three extractions.
func TestReport(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		reports string // A letter is a failure of that extraction, a dot a success.
		want    bool   // Of the last report.
	}{
		{"four of three", "abca", false},
		{"five of three", "abcab", true},
		{"five of two", "abaab", false},
		{"five of one", "aaaaa", false},
		{"many of two", "abababababab", false},
		{"many of two and a third", "abababababc", true},
		{"a success between", "abca.b", false},
		{"five after a success", "abca.abcab", true},
		{"the sixth as well", "abcabc", true},
		{"a success itself", "abcab.", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, _ := newLimiter(t)
			got := false
			for _, id := range tt.reports {
				var err error
				if got, err = l.Report(t.Context(), "acme", string(id), OpPoll, id == '.'); err != nil {
					t.Fatal(err)
				}
			}
			if got != tt.want {
				t.Errorf("after %s the vendor is unavailable: %v, want %v", tt.reports, got, tt.want)
			}
			s, err := l.State(t.Context(), "acme")
			if err != nil || s.LastOK.IsZero() == slices.Contains([]rune(tt.reports), '.') {
				t.Errorf("last success %v, %v", s.LastOK, err)
			}
		})
	}
	// Resume begins anew.
	l, _ := newLimiter(t)
	for _, id := range []string{"a", "b", "c", "a"} {
		if _, err := l.Report(t.Context(), "acme", id, OpPoll, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Resume(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if down, err := l.Report(t.Context(), "acme", "b", OpPoll, false); err != nil || down {
		t.Errorf("the first failure after Resume = %v, %v", down, err)
	}
}

func TestRedisAway(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Admit":   func() error { _, err := l.Admit(ctx, "acme", OpPoll, 1, time.Second); return err },
		"Block":   func() error { return l.Block(ctx, "acme", 1) },
		"State":   func() error { _, err := l.State(ctx, "acme"); return err },
		"Pause":   func() error { _, err := l.Pause(ctx, "acme", Quota, "", ""); return err },
		"Probed":  func() error { return l.Probed(ctx, "acme", State{}, "", "") },
		"Resume":  func() error { return l.Resume(ctx, "acme") },
		"Lift":    func() error { return l.Lift(ctx, "acme", Quota) },
		"Used":    func() error { _, err := l.Used(ctx, "acme"); return err },
		"Trouble": func() error { return l.Trouble(ctx, "acme", "", "") },
		"Serve":   func() error { _, err := l.Serve(ctx, "acme", "w"); return err },
		"Leave":   func() error { return l.Leave(ctx, "acme", "w") },
		"Served":  func() error { _, err := l.Served(ctx, "acme"); return err },
		"Report":  func() error { _, err := l.Report(ctx, "acme", "a", OpPoll, true); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want the context's error", name, err)
		}
	}
}

func BenchmarkAdmit(b *testing.B) {
	l, _ := newLimiter(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			admit(b, l, OpPoll, 1e6, true)
		}
	})
}
