package plan

import (
	"math"
	"time"
)

// A vendor's ready list shows with one request which extractions have finished. Its cost
// does not depend on how many finish, while polling costs a request for each, so lists pay
// off while many finish.

const (
	// WindowShare of all extractions finish within the window in which the lists are
	// searched for them. Slower ones are polled: a single stuck extraction would make every
	// list as long as everything that came after it.
	WindowShare = 0.95
	// leastListing and mostListing bound the interval between two readings.
	leastListing, mostListing = time.Second, 30 * time.Second
	// listingLag is the time from a reading to the polls of what it lists.
	listingLag = 0.2
	// leastMissed is a floor for the share of ends without a notification. Notified ends
	// are seen at once, the others only by polling, so an estimate near zero would postpone
	// that evidence by minutes.
	leastMissed = 0.01
)

// Outlook summarises the extractions in flight.
type Outlook struct {
	InWindow float64       // The number in flight within the window.
	Steady   float64       // Finishing per second, as long as as many are in flight.
	Soon     float64       // Finishing per second now.
	Alone    float64       // The cost J of each if it is polled.
	Window   time.Duration // The time in which WindowShare of all finish.
}

// Outlook summarises what is in flight; here Age is the time since the submission.
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
	// Every is the interval of readings; zero means that they are not read.
	Every time.Duration
	// Trusted reports that polls are planned as a fallback of the lists.
	Trusted bool
	// Until is when readings end that no longer pay off: by then the extractions whose
	// polls were postponed because of them are found.
	Until time.Time
}

// Listing decides whether and how often ready lists are read, if a reading takes that many
// requests and misses that share of ends, given the previous decision.
func (o Outlook) Listing(old Listing, price time.Duration, requests, missed float64, now time.Time) Listing {
	if o.InWindow == 0 {
		return Listing{}
	}
	p := max(price.Seconds(), 0.001)
	gap, soon := every(p, requests, o.Steady), every(p, requests, o.Soon)
	listed := p + gap.Seconds()/2 + listingLag + missed*o.Alone // For each extraction,
	listing := listed*o.Steady + p*requests/gap.Seconds()       // with the readings, per second.
	asking := o.Alone * o.Steady
	switch {
	case listing < 0.8*asking, old.Trusted && listing < asking:
		return Listing{Every: soon, Trusted: true}
	case old.Trusted:
		// The polls of those in flight are far away. The lists are read until the last of
		// them has left the window.
		return Listing{Every: soon, Until: now.Add(o.Window)}
	case now.Before(old.Until):
		return Listing{Every: soon, Until: old.Until}
	}
	return Listing{}
}

// every is the optimal interval of readings, if rate extractions finish per second: it
// minimises the price plus the mean delay, which is half the interval.
func every(price, requests, rate float64) time.Duration {
	best := math.Sqrt(2 * price * requests / max(rate, 1e-6))
	return min(max(seconds(best).Round(time.Second), leastListing), mostListing)
}

// Unnotified is the share of those ending at some age for which there is no notification:
// neither a webhook nor, up to the age listed, a ready list. It is for Terms.
func Unnotified(missedByHooks, missedByLists float64, listed time.Duration) func(t float64) float64 {
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
