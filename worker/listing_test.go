package worker

import (
	"testing"
	"time"

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
