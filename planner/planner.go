// Package planner says when to ask the vendor again. It is pure: time goes in
// and comes out as durations, and nothing is looked up or remembered.
//
// Until the latency of an account has been learned, the plan rests on a fixed
// prior: the time a document takes is log-uniform, as likely between 2 and 4
// seconds as between 1 and 2 minutes. What has run for t then finishes at a rate
// of 1/t, and where the rate of finishing is h the spacing of checks that
// minimises price·requests + delay is sqrt(2·price/h) (Keller, "Optimum checking
// schedules for systems subject to random failure", Management Science 21,
// 1974): here sqrt(2·price·t). The plan depends on elapsed time alone, so it
// has nothing to resume after a late check or a crash.
package planner

import (
	"math"
	"time"
)

// The limits of a gap between two checks.
const (
	// FirstCheck is when the first check is made: no vendor's documentation or
	// recorded answer shows a document done earlier.
	FirstCheck = 2 * time.Second
	minGap     = 2 * time.Second
	maxGap     = 5 * time.Minute
)

// Next returns how long to wait, after a check at elapsed since the submission
// that found "not yet", until the next one. price is how much delay one request
// is worth; zero or less means one second. A check is planned at the deadline
// itself rather than just before or long after it.
func Next(elapsed, price, deadline time.Duration) time.Duration {
	if price <= 0 {
		price = time.Second
	}
	elapsed = max(elapsed, 0)
	gap := FirstCheck - elapsed
	if gap <= 0 {
		root := math.Sqrt(2 * price.Seconds() * elapsed.Seconds())
		gap = min(max(time.Duration(root*float64(time.Second)), minGap), maxGap)
	}
	// The queue's grid is whole seconds and fires up to one early.
	gap = roundUp(gap)
	if left := deadline - elapsed; left > 0 && left < gap+minGap {
		gap = roundUp(left)
	}
	return gap
}

// roundUp is the next whole second.
func roundUp(gap time.Duration) time.Duration {
	if gap%time.Second == 0 {
		return gap
	}
	return gap.Truncate(time.Second) + time.Second
}
