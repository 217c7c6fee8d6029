package polling

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/polling/plan"
	"github.com/extractq/extractq/store"
)

// What has not been asked for does not count as slow, however many wait.
func TestUnaskedSaysNothing(t *testing.T) {
	t.Parallel()
	h := plan.Histogram{}
	for n := range 100 {
		h.Add(8+float64(n)/10, 1)
	}
	law := func(known time.Duration) plan.Law {
		var running []store.Running
		for range 500 {
			running = append(running, store.Running{Age: 20 * time.Second, Known: known})
		}
		return plan.Estimate(h, stillRunning(running, 10, func(store.Running) float64 { return 1 }), plan.Prior())
	}
	if before, after := plan.Estimate(h, nil, plan.Prior()).Quantile(0.5), law(0).Quantile(0.5); before != after {
		t.Errorf("half finish within %.1f s, and with 5,000 that were never polled within %.1f s", before, after)
	}
	if got := law(20 * time.Second).Quantile(0.5); got < 20 {
		t.Errorf("half finish within %.1f s although 5,000 had not after 20 s", got)
	}
}

// Where Redis cannot be read, the schedule of before serves, or the prior's.
func TestForecastWithoutRedis(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.planner()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	prior := p.Forecast(ctx, "w2s").schedule
	if got, want := prior.Cost(), plan.Prior().Schedule(plan.Terms{Price: time.Second}).Cost(); got != want {
		t.Errorf("J = %v, want the prior's %v", got, want)
	}
	h := plan.Histogram{}
	h.Add(500, 100)
	if err := r.s.Record(t.Context(), "acme", "w2s", Observation{Bins: h}); err != nil {
		t.Fatal(err)
	}
	p.cached("w2s").at = time.Time{} // Time passes.
	learned := p.Forecast(t.Context(), "w2s").schedule
	if learned.Cost() == prior.Cost() {
		t.Fatal("nothing was learned")
	}
	p.cached("w2s").at = time.Time{}
	if got := p.Forecast(ctx, "w2s").schedule; got != learned {
		t.Error("without Redis the schedule of before is forgotten")
	}
	for i := range 3 * maxForecasts {
		p.cached(string(rune(i)))
	}
	if len(p.byLabel) > maxForecasts {
		t.Errorf("%d schedules are kept", len(p.byLabel))
	}
}

// What is in flight is looked through for all of an account's types at once.
func TestForecastsShareTheSample(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.planner()
	samples := &countSamples{}
	r.rdb.AddHook(samples)
	for _, label := range []string{"w2s", "invoices", "receipts"} {
		p.Forecast(t.Context(), label)
	}
	if samples.n != 1 {
		t.Errorf("looked %d times for three types, want once", samples.n)
	}
}

// countSamples counts how often what is in flight is looked through.
type countSamples struct{ n int }

func (c *countSamples) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *countSamples) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (c *countSamples) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "zrandmember" {
			c.n++
		}
		return next(ctx, cmds)
	}
}
