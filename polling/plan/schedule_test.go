package plan

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const s = time.Second

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within*want {
		t.Errorf("%s = %.5f, want %.5f within %.2g %%", what, got, want, within*100)
	}
}

// An exponential T has no memory: the best gaps are all equal, and solve
// e^(λδ) − λδ − 1 = λρ.
func TestExponential(t *testing.T) {
	t.Parallel()
	got := LawOf(exponential(10).cdf).Schedule(Terms{Price: s})
	checks, delay := exponential(10).costOf(got)
	near(t, "E[N]", checks, 2.93715, 0.01)
	near(t, "E[D]", delay, 2.22506, 0.01)
	near(t, "J", checks+delay, 5.16221, 0.002)
	near(t, "the schedule's own J", got.Cost(), 5.16221, 0.002)
	for at := 0 * s; at < 20*s; at += s {
		near(t, "gap", (got.After(at, 0) - at).Seconds(), 4.16221, 0.1)
	}
}

// Uniform on (0, 60): n = 11 checks at k·60/n + k(n−k)/2.
func TestUniform(t *testing.T) {
	t.Parallel()
	got := LawOf(uniform(60).cdf).Schedule(Terms{Price: s, MinGap: 100 * time.Millisecond})
	near(t, "J", got.Cost(), 7.8106, 0.003)
	checks, delay := uniform(60).costOf(got)
	near(t, "J of the checks", checks+delay, 7.8106, 0.005)
	at := time.Duration(0)
	for k := 1.0; k <= 7; k++ {
		at = got.After(at, 0)
		near(t, "check", at.Seconds(), k*60/11+k*(11-k)/2, 0.04)
	}
}

// Lognormal, median 14 s, 95 of 100 within 34 s.
func TestLognormal(t *testing.T) {
	t.Parallel()
	checks, delay := typical.costOf(LawOf(typical.cdf).Schedule(Terms{Price: s}))
	if checks > 2.95 || delay > 2.45 {
		t.Errorf("%.3f checks and %.3f s, want at most 2.95 and 2.45", checks, delay)
	}
}

// law draws any law at all: a few lumps and some that never finish.
func law() *rapid.Generator[Law] {
	return rapid.Custom(func(t *rapid.T) Law {
		h := Histogram{}
		for range rapid.IntRange(1, 12).Draw(t, "lumps") {
			from := math.Exp(rapid.Float64Range(-2, 11).Draw(t, "log from"))
			to := from * math.Exp(rapid.Float64Range(0, 2).Draw(t, "log width"))
			h.spread(from, min(to, gridEnd), rapid.Float64Range(0.01, 20).Draw(t, "weight"))
		}
		return Estimate(h, nil, Prior())
	})
}

func terms() *rapid.Generator[Terms] {
	return rapid.Custom(func(t *rapid.T) Terms {
		out := Terms{
			Price:  duration(10*time.Millisecond, time.Minute).Draw(t, "price"),
			MinGap: duration(100*time.Millisecond, 10*s).Draw(t, "min gap"),
			MaxGap: duration(20*s, 10*time.Minute).Draw(t, "max gap"),
		}
		if rapid.Bool().Draw(t, "heard") {
			lost, until := rapid.Float64Range(0, 1).Draw(t, "lost"), rapid.Float64Range(0, 1000).Draw(t, "until")
			out.Unnotified = func(t float64) float64 {
				if t > until {
					return 1
				}
				return lost
			}
		}
		return out
	})
}

func duration(from, to time.Duration) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Int64Range(int64(from), int64(to)), func(n int64) time.Duration { return time.Duration(n) })
}

// bruteForce looks at every pair of grid points.
func bruteForce(l Law, terms Terms) float64 {
	known, delay := l.notified(terms.Unnotified)
	n := Bins()
	cost := make([]float64, n+1)
	cost[n] = terms.Price.Seconds() * (1 - l.cdf[n])
	for i := n - 1; i >= 0; i-- {
		cost[i] = math.Inf(1)
		for j := i + 1; j <= n; j++ {
			gap := edges[j] - edges[i]
			if gap < terms.MinGap.Seconds()-1e-9 && j < n || gap > terms.MaxGap.Seconds()+1e-9 && !math.IsInf(cost[i], 1) {
				continue
			}
			cost[i] = min(cost[i], terms.Price.Seconds()*(1-l.cdf[i]-known[j]+known[i])+
				delay[j]-delay[i]-(l.cdf[i]-known[i])*gap+cost[j])
		}
	}
	return cost[0]
}

// The search that uses monotony finds what a search of everything finds, and the
// checks never come closer than the shortest gap or in another order.
func TestScheduleAlways(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l, terms := law().Draw(rt, "law"), terms().Draw(rt, "terms")
		got := l.Schedule(terms)
		if want := bruteForce(l, terms); got.Cost() > want*1.005+1e-9 || got.Cost() < want*(1-1e-9)-1e-9 {
			rt.Fatalf("J = %v, brute force finds %v", got.Cost(), want)
		}
		before, at := time.Duration(0), time.Duration(0)
		for at < 3*time.Hour {
			next := got.After(at, 0)
			if gap := next - at; gap < terms.MinGap || gap > terms.MaxGap {
				rt.Fatalf("the gap at %v is %v, want %v to %v", at, gap, terms.MinGap, terms.MaxGap)
			}
			if next < before {
				rt.Fatalf("after %v comes %v, and before it %v", at, next, before)
			}
			before = next
			at += duration(time.Millisecond, 100*s).Draw(rt, "step")
		}
	})
}

// Due times are whole seconds, never sooner than the shortest gap, and the checks
// reach every deadline with one check at it or less than a second later.
func TestDue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		terms := Terms{Price: duration(time.Millisecond, time.Minute).Draw(rt, "price")}
		got := law().Draw(rt, "law").Schedule(terms)
		submitted := time.UnixMilli(rapid.Int64Range(1_700_000_000_000, 1_800_000_000_000).Draw(rt, "submitted"))
		deadline := duration(3*s, time.Hour).Draw(rt, "deadline")
		end := submitted.Add(deadline)
		now := submitted
		for range 10_000 {
			due := got.Due(submitted, now, deadline)
			if due.Nanosecond() != 0 || due.Before(now.Add(s)) && !due.After(end) && end.Sub(now) > 2*s {
				rt.Fatalf("after %v the next is due at %v", now, due)
			}
			if due.After(now.Add(5*time.Minute + 2*s)) {
				rt.Fatalf("after %v the next is due only at %v", now, due)
			}
			if !due.Before(end) {
				if !due.Before(end.Add(s)) {
					rt.Fatalf("the deadline %v is followed by a check at %v", end, due)
				}
				return
			}
			now = due.Add(duration(0, 900*time.Millisecond).Draw(rt, "late"))
			if !now.Before(end) {
				return
			}
		}
		rt.Fatalf("no check reaches %v", deadline)
	})
}

// A webhook that is seldom lost leaves little to ask; what is lost is found.
func TestUnheard(t *testing.T) {
	t.Parallel()
	l := LawOf(typical.cdf)
	known := l.Schedule(Terms{Unnotified: func(float64) float64 { return 0.05 }})
	if known.Cost() > 1.3 { // Among them what one fetch of each result costs.
		t.Errorf("J = %v with one webhook in twenty lost", known.Cost())
	}
	if first := known.After(0, 0); first < 20*s || first > time.Minute {
		t.Errorf("the first check is at %v, want it when nearly all have been heard of", first)
	}
	none := l.Schedule(Terms{Unnotified: func(float64) float64 { return 1 }})
	if want := l.Schedule(Terms{}); none.Cost() != want.Cost() {
		t.Errorf("J = %v where nothing is heard, want %v", none.Cost(), want.Cost())
	}
}

// An hour of a document that nothing is known about costs few requests.
func TestPriorIsCheap(t *testing.T) {
	t.Parallel()
	got := Prior().Schedule(Terms{})
	if first := got.After(0, 0); first < 2*s || first > 4*s {
		t.Errorf("the first check is at %v", first)
	}
	n := 0
	for at := time.Duration(0); at < time.Hour; n++ {
		at = got.After(at, time.Hour)
	}
	if n > 95 {
		t.Errorf("an hour takes %d checks", n)
	}
}

func BenchmarkSchedule(b *testing.B) {
	l := LawOf(typical.cdf)
	for b.Loop() {
		l.Schedule(Terms{})
	}
}

func BenchmarkEstimateAndSchedule(b *testing.B) {
	h := Histogram{}
	for k := range 300 {
		h[k] = 1
	}
	ages := make([]Running, 500)
	for i := range ages {
		ages[i] = Running{float64(i) / 10, 1}
	}
	for b.Loop() {
		Estimate(h, ages, Estimate(h, ages, Prior())).Schedule(Terms{})
	}
}

func BenchmarkDue(b *testing.B) {
	got := LawOf(typical.cdf).Schedule(Terms{})
	now := time.Now()
	for b.Loop() {
		got.Due(now, now.Add(7*s), time.Hour)
	}
}
