package plan

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// learn is the law after n exact samples, seen by a type that is its account's only
// one.
func learn(tr truth, n int, seed uint64) Law {
	r, h := rand.New(rand.NewPCG(seed, 1)), Histogram{}
	for range n {
		h.Add(tr.draw(r), 1)
	}
	return Estimate(h, nil, Estimate(h, nil, Prior()))
}

// From 5 samples on no worse than a fixed interval, with 20 within 15 % of what is
// possible, with 1,000 within 5 %: the mean over many learners.
func TestLearning(t *testing.T) {
	t.Parallel()
	for _, tr := range truths {
		best := LawOf(tr.cdf).Schedule(Terms{}).Cost()
		checks, delay := tr.cost(everyFive)
		fixed := checks + delay + 1 // The SDK's first question comes at once.
		for _, tt := range []struct {
			n    int
			most float64
		}{{5, fixed / best}, {20, 1.15}, {200, 1.05}, {1000, 1.02}} {
			const learners = 16
			mean := 0.0
			for seed := range uint64(learners) {
				checks, delay := tr.costOf(learn(tr, tt.n, seed).Schedule(Terms{}))
				mean += (checks + delay) / learners
			}
			t.Logf("%s, %d samples: J is %.3f of J*, fixed 5 s is %.3f", tr.name, tt.n, mean/best, fixed/best)
			if mean > best*tt.most {
				t.Errorf("%s, %d samples: J is %.3f of J*, want at most %.3f", tr.name, tt.n, mean/best, tt.most)
			}
		}
	}
}

// Where the vendor does not say when it finished, the answers to the polls say
// between which two it did: learning from that, each time by the schedule learned so
// far, comes as close.
func TestLearningFromIntervals(t *testing.T) {
	t.Parallel()
	for _, tr := range truths {
		best := LawOf(tr.cdf).Schedule(Terms{}).Cost()
		mean := 0.0
		const learners = 4
		for seed := range uint64(learners) {
			r, h := rand.New(rand.NewPCG(seed, 2)), Histogram{}
			l := Prior()
			plan := l.Schedule(Terms{})
			for n := range 400 {
				finish, from, to := seconds(tr.draw(r)), seconds(0), seconds(0)
				for to < finish {
					from, to = to, plan.After(to, 0)
				}
				h.AddBetween(from.Seconds(), to.Seconds(), 1, l)
				if n%20 == 19 {
					l = Estimate(h, nil, Estimate(h, nil, Prior()))
					plan = l.Schedule(Terms{})
				}
			}
			checks, delay := tr.costOf(plan)
			mean += (checks + delay) / learners
		}
		t.Logf("%s: J is %.3f of J* after 400 intervals", tr.name, mean/best)
		if mean > best*1.1 {
			t.Errorf("%s: J is %.3f of J* after 400 intervals", tr.name, mean/best)
		}
	}
}

// A burst of which only the quickest have finished is not taken for quick.
func TestRunningCounts(t *testing.T) {
	t.Parallel()
	r, h := rand.New(rand.NewPCG(1, 3)), Histogram{}
	const age = 10.0 // All were submitted so long ago.
	var running []Running
	for range 2000 {
		if d := typical.draw(r); d < age {
			h.Add(d, 1)
		} else {
			running = append(running, Running{age, 1})
		}
	}
	naive, got := Estimate(h, nil, Prior()), Estimate(h, running, Prior())
	want := typical.cdf(9)
	if f := got.At(9); f < want-0.04 || f > want+0.04 {
		t.Errorf("F(9 s) = %.3f, want %.3f", f, want)
	}
	if f := naive.At(9); f < 0.6 {
		t.Errorf("without those that run F(9 s) = %.3f: this test shows nothing", f)
	}
	if f := got.At(30); f > typical.cdf(30) {
		t.Errorf("F(30 s) = %.3f: that was never seen", f)
	}
}

// Whatever was seen, the estimate is a law: it rises from 0, and all but what the
// parent leaves finishes.
func TestEstimateAlways(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := Histogram{}
		for range rapid.IntRange(0, 30).Draw(rt, "samples") {
			from := rapid.Float64Range(-10, 1e6).Draw(rt, "from")
			h.AddBetween(from, from+rapid.Float64Range(-1, 1000).Draw(rt, "width"), rapid.Float64Range(0, 3).Draw(rt, "weight"), Prior())
		}
		var running []Running
		for _, age := range rapid.SliceOfN(rapid.Float64Range(-1, 1e6), 0, 50).Draw(rt, "running") {
			running = append(running, Running{age, rapid.Float64Range(0, 100).Draw(rt, "weight")})
		}
		l := Estimate(h, running, Prior())
		for k, f := range l.cdf {
			if f < 0 || f > 1+1e-9 || k > 0 && f < l.cdf[k-1]-1e-12 || f != f {
				rt.Fatalf("F(%v) = %v after %v", edges[k], f, l.cdf[max(k-1, 0)])
			}
		}
		for _, p := range []float64{0.1, 0.5, 0.9, 0.999} {
			if q := l.Quantile(p); q < gridEnd && (l.At(q) < p-1e-6 || l.At(q-1e-3) > p+1e-6) {
				rt.Fatalf("the %v quantile is %v, where F is %v", p, q, l.At(q))
			}
		}
	})
}

// The same samples give the same schedule to the last bit, in whatever order a map is
// walked: what is replayed comes out the same.
func TestEstimateIsRepeatable(t *testing.T) {
	t.Parallel()
	r, h := rand.New(rand.NewPCG(1, 4)), Histogram{}
	for n := range 400 {
		h.Add(typical.draw(r), 1+float64(n)/977)
	}
	first := Estimate(h, nil, Prior()).Schedule(Terms{}).Cost()
	for range 50 {
		again := Histogram{}
		again.Merge(h, 1)
		if got := Estimate(again, nil, Prior()).Schedule(Terms{}).Cost(); got != first {
			t.Fatalf("J = %v, and of the same samples %v", got, first)
		}
	}
}

// Weight that goes in is there, wherever it is put.
func TestHistogramKeepsWeight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h, want := Histogram{}, 0.0
		for range rapid.IntRange(1, 20).Draw(rt, "samples") {
			from := rapid.Float64Range(-10, 2*gridEnd).Draw(rt, "from")
			width, w := rapid.Float64Range(0, 5000).Draw(rt, "width"), rapid.Float64Range(0, 2).Draw(rt, "weight")
			h.AddBetween(from, from+width, w, Prior())
			want += w
		}
		sum := 0.0
		weights, half := h.weights()
		for _, w := range average(weights, half+0.1) {
			sum += w
		}
		if got := h.Weight(); got < want-1e-6 || got > want+1e-6 || sum < want-1e-6 || sum > want+1e-6 {
			rt.Fatalf("the weight is %v, smoothed %v, want %v", got, sum, want)
		}
		twice := Histogram{}
		twice.Merge(h, 2)
		if got := twice.Weight(); got < 2*want-1e-6 || got > 2*want+1e-6 {
			rt.Fatalf("merged twice the weight is %v, want %v", got, 2*want)
		}
	})
}
