package plan

import (
	"math"
	"time"
)

// A vendor's ready list says with one request which extractions have finished. Reading
// it costs the same however many finish, and asking costs each of them, so lists pay
// while many do.

const (
	// WindowShare of all extractions finish within the window in which they are looked
	// for in the lists. What takes longer is polled: one that is stuck
	// would make every reading as long as the list of all that came after it.
	WindowShare = 0.95
	// leastListing and mostListing bound the time between two readings.
	leastListing, mostListing = time.Second, 30 * time.Second
	// listingLag is how long it takes from a reading to the question for what it lists.
	listingLag = 0.2
	// leastMissed is a floor for the share of ends without a notification. Notified ends
	// are seen at once, the others only by polling: until then nothing speaks for them,
	// and a share that is near
	// nothing puts that off by minutes.
	leastMissed = 0.01
)

// Outlook is what is to be expected of the extractions in flight.
type Outlook struct {
	InWindow float64       // How many are in flight and within the window.
	Steady   float64       // How many finish each second, while as many are in flight.
	Soon     float64       // How many finish each second now.
	Alone    float64       // What each costs in J where it is polled.
	Window   time.Duration // In which WindowShare of all finish.
}

// Outlook sums up what is in flight: here Age is the time since the submission.
func (l Law) Outlook(running []Running, price time.Duration) Outlook {
	o := Outlook{Window: seconds(l.Quantile(WindowShare)), Alone: l.Schedule(Terms{Price: price}).Cost()}
	const horizon = 2.0
	for _, r := range running {
		if seconds(r.Age) > o.Window {
			continue
		}
		o.InWindow += r.Weight
		if left := 1 - l.At(r.Age); left > 1e-6 {
			o.Soon += r.Weight * (l.At(r.Age+horizon) - l.At(r.Age)) / left / horizon
		}
	}
	o.Steady = o.InWindow / max(l.Quantile(0.5), 1)
	return o
}

// Listing is how ready lists are read.
type Listing struct {
	// Every is how often; zero is not at all.
	Every time.Duration
	// Trusted reports that polls are planned as what stands behind the lists.
	Trusted bool
	// Until is when a listing that is no longer worth it ends: those extractions are
	// found by then whose polls were planned far away because of it.
	Until time.Time
}

// Listing decides whether and how often lists are read that take so many requests and
// miss a share of the ends, after the decision before.
func (o Outlook) Listing(old Listing, price time.Duration, requests, missed float64, now time.Time) Listing {
	if o.InWindow == 0 {
		return Listing{}
	}
	p := max(price.Seconds(), 0.001)
	gap, soon := every(p, requests, o.Steady), every(p, requests, o.Soon)
	listed := p + gap.Seconds()/2 + listingLag + missed*o.Alone // For each extraction, and
	listing := listed*o.Steady + p*requests/gap.Seconds()       // with the readings, each second.
	asking := o.Alone * o.Steady
	switch {
	case listing < 0.8*asking, old.Trusted && listing < asking:
		return Listing{Every: soon, Trusted: true}
	case old.Trusted:
		// The polls of those in flight are far away. The lists are read until the last
		// of them has left the window.
		return Listing{Every: soon, Until: now.Add(o.Window)}
	case now.Before(old.Until):
		return Listing{Every: soon, Until: old.Until}
	}
	return Listing{}
}

// every is how often to read lists that take so many requests, where rate is how many
// extractions finish each second: the sum of the price and of the mean delay, half
// the time between two readings, is least.
func every(price, requests, rate float64) time.Duration {
	best := math.Sqrt(2 * price * requests / max(rate, 1e-6))
	return min(max(seconds(best).Round(time.Second), leastListing), mostListing)
}

// Unheard is the share of those ending at some age of which nothing tells us at once:
// neither a webhook nor, up to the age listed, a list. It is for Terms.
func Unheard(missedByHooks, missedByLists float64, listed time.Duration) func(t float64) float64 {
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
