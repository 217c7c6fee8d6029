package worker

import (
	"context"
	"math"
	"time"

	"github.com/extractq/extractq/planner"
	"github.com/extractq/extractq/store"
)

const (
	// windowShare of all extractions finish within the window in which they are
	// looked for in the lists. What takes longer is asked for by itself: one that is
	// stuck would make every reading as long as the list of all that came after it.
	windowShare = 0.95
	// leastSweep and mostSweep bound the time between two readings.
	leastSweep, mostSweep = time.Second, 30 * time.Second
	// sweepLag is how long it takes from a reading to the question for what it lists.
	sweepLag = 0.2
	// listMissed is what is believed of the share of ends that the lists do not show
	// in time, while nobody knows.
	listMissed = 0.05
)

// outlook is what is to be expected of an account's extractions.
type outlook struct {
	inWindow float64       // How many are in flight and within the window.
	steady   float64       // How many finish each second, while as many are in flight.
	soon     float64       // How many finish each second now.
	alone    float64       // What each costs in J where it is asked for by itself.
	window   time.Duration // In which windowShare of all finish.
}

// look sums up what is in flight.
func (w *Worker) look(ctx context.Context, a *account) (outlook, error) {
	running, each, err := w.records.Running(ctx, a.Name)
	if err != nil || len(running) == 0 {
		return outlook{}, err
	}
	law := w.forecast(ctx, a, "").law
	terms := planner.Terms{Price: a.PollPrice}
	o := outlook{window: seconds(law.Quantile(windowShare)), alone: law.Schedule(terms).Cost()}
	const horizon = 2.0
	for _, r := range running {
		if r.Age > o.window {
			continue
		}
		o.inWindow += each
		if left := 1 - law.At(r.Age.Seconds()); left > 1e-6 {
			o.soon += each * (law.At(r.Age.Seconds()+horizon) - law.At(r.Age.Seconds())) / left / horizon
		}
	}
	o.steady = o.inWindow / max(law.Quantile(0.5), 1)
	return o, nil
}

// every is how often to read lists that take so many requests, where rate is how many
// extractions finish each second: the sum of the price and of the mean delay, half
// the time between two readings, is least.
func every(price, requests, rate float64) time.Duration {
	best := math.Sqrt(2 * price * requests / max(rate, 1e-6))
	return min(max(seconds(best).Round(time.Second), leastSweep), mostSweep)
}

// tendListing decides whether and how often the ready lists are read. Reading costs
// the same however many extractions finish, and asking costs each of them, so lists
// pay while many do.
func (w *Worker) tendListing(ctx context.Context, a *account, now time.Time) error {
	old, err := w.records.Listing(ctx, a.Name)
	if err != nil {
		return err
	}
	next := store.Listing{}
	if a.Sweep {
		o, err := w.look(ctx, a)
		if err != nil {
			return err
		}
		all, _, err := w.records.Latencies(ctx, a.Name, "")
		if err != nil {
			return err
		}
		next = decide(old, o, max(a.PollPrice.Seconds(), 0.001), max(old.Requests, 1), missedByLists(all), now)
	}
	if next.Every == old.Every && next.Trusted == old.Trusted && next.Until.Equal(old.Until) {
		return nil
	}
	return w.records.SetListing(ctx, a.Name, next)
}

// missedByLists is the share of ends that the lists do not show in time.
func missedByLists(l store.Latency) float64 {
	if l.ListMissed >= 1 { // Nobody knows yet.
		return listMissed
	}
	return l.ListMissed
}

// decide is tendListing without Redis.
func decide(old store.Listing, o outlook, price, requests, missed float64, now time.Time) store.Listing {
	if o.inWindow == 0 {
		return store.Listing{}
	}
	on := old.On
	if !old.Trusted {
		on = now.Truncate(time.Millisecond)
	}
	gap := every(price, requests, o.steady)
	listed := price + gap.Seconds()/2 + sweepLag + missed*o.alone // For each extraction, and
	listing := listed*o.steady + price*requests/gap.Seconds()     // with the readings, each second.
	asking := o.alone * o.steady
	switch {
	case listing < 0.8*asking, old.Trusted && listing < asking:
		return store.Listing{Every: every(price, requests, o.soon), Trusted: true, On: on}
	case old.Trusted:
		// The polls of those in flight are far away. The lists are read until the last
		// of them has left the window.
		return store.Listing{Every: every(price, requests, o.soon), Until: now.Add(o.window).Truncate(time.Millisecond)}
	case now.Before(old.Until):
		return store.Listing{Every: every(price, requests, o.soon), Until: old.Until}
	}
	return store.Listing{}
}

// leastMissed is what is believed of the share of ends that nobody tells of at least.
// Those that somebody tells of are known at once, and the others only when they are
// asked for: until then nothing speaks for them, and a share that is near nothing puts
// that off by minutes.
const leastMissed = 0.01

// unheard is the share of those ending at some age of which nothing tells us at once:
// neither a webhook nor, up to the age listed, a list.
func unheard(missedByHooks, missedByLists float64, listed time.Duration) func(t float64) float64 {
	if missedByHooks >= 1 && listed == 0 {
		return nil
	}
	return func(t float64) float64 {
		if t < listed.Seconds() {
			return max(missedByHooks*missedByLists, leastMissed)
		}
		return max(missedByHooks, leastMissed)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
