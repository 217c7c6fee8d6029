package plan

import (
	"math"
	"time"
)

// Terms are the parameters of a schedule.
type Terms struct {
	// Price is the delay that one request is worth; zero or less means a second.
	Price time.Duration
	// MinGap and MaxGap bound the interval between two checks; zero means 1 s and 5 min.
	MinGap, MaxGap time.Duration
	// Unnotified is the share of those finishing t seconds after their submission without a
	// notification: no webhook, no ready list. Nil means all.
	Unnotified func(t float64) float64
}

func (t Terms) withDefaults() Terms {
	if t.Price <= 0 {
		t.Price = time.Second
	}
	if t.MinGap <= 0 {
		t.MinGap = time.Second
	}
	if t.MaxGap <= 0 {
		t.MaxGap = 5 * time.Minute
	}
	return t
}

// Schedule tells for every elapsed time when the next check is due. It is immutable.
type Schedule struct {
	terms Terms
	next  []float64 // For each edge, when to check after a check there.
	cost  float64
}

// Schedule finds the checks that minimise price·E[checks] + E[delay] under the
// law. With W(i) the cost of what follows a check at t(i) that found "not yet",
//
//	W(i) = min over j > i of price·(S(i) − notified in between) + delay of the unnotified in between + W(j).
//
// The cost of a step is Monge, so the best j never falls as i grows, and the search for i
// can end where that for i+1 ended.
func (l Law) Schedule(terms Terms) *Schedule {
	terms = terms.withDefaults()
	n := Bins()
	known, delay := l.notified(terms.Unnotified)
	price, lo, hi := terms.Price.Seconds(), terms.MinGap.Seconds()-1e-9, terms.MaxGap.Seconds()+1e-9
	cost, best := make([]float64, n+1), make([]int, n+1)
	cost[n], best[n] = price*(1-l.cdf[n]), n
	for i, last := n-1, n; i >= 0; i-- {
		cost[i] = math.Inf(1)
		unnotified := l.cdf[i] - known[i]
		for j := i + 1; j <= last; j++ {
			gap := edges[j] - edges[i]
			if gap < lo && j < n {
				continue
			}
			if gap > hi && !math.IsInf(cost[i], 1) {
				break
			}
			c := price*(1-l.cdf[i]-(known[j]-known[i])) + delay[j] - delay[i] - unnotified*gap + cost[j]
			if c < cost[i] {
				cost[i], best[i] = c, j
			}
		}
		last = best[i]
	}
	s := &Schedule{terms: terms, next: make([]float64, n+1), cost: cost[0]}
	for i, j := range best {
		s.next[i] = edges[j]
	}
	return s
}

// notified is, at every edge, the share of all that has finished with a notification, and
// the integral of the share that has finished without one.
func (l Law) notified(unnotified func(float64) float64) (known, delay []float64) {
	known, delay = make([]float64, len(edges)), make([]float64, len(edges))
	for i := 1; i < len(edges); i++ {
		share := 1.0
		if unnotified != nil {
			share = min(max(unnotified((edges[i-1]+edges[i])/2), 0), 1)
		}
		known[i] = known[i-1] + (1-share)*(l.cdf[i]-l.cdf[i-1])
		delay[i] = delay[i-1] + (l.cdf[i-1]-known[i-1]+l.cdf[i]-known[i])/2*(edges[i]-edges[i-1])
	}
	return known, delay
}

// Cost is price·E[checks] + E[delay] in seconds, if the law is right.
func (s *Schedule) Cost() float64 { return s.cost }

// After is when, in time since the submission, to check after a check at elapsed that found
// "not yet". With a deadline above zero, a check is planned at the deadline itself rather
// than just before it or long after.
func (s *Schedule) After(elapsed, deadline time.Duration) time.Duration {
	elapsed = max(elapsed, 0)
	at := seconds(s.after(elapsed.Seconds()))
	at = min(max(at, elapsed+s.terms.MinGap), elapsed+s.terms.MaxGap)
	if deadline > elapsed && deadline < at+s.terms.MinGap {
		return deadline
	}
	return at
}

// after is After without limits: it interpolates between the grid's points.
func (s *Schedule) after(elapsed float64) float64 {
	if elapsed >= gridEnd {
		return elapsed + s.terms.MaxGap.Seconds()
	}
	k := bin(elapsed)
	part := (elapsed - edges[k]) / (edges[k+1] - edges[k])
	return s.next[k] + part*(s.next[k+1]-s.next[k])
}

// Due is the time of the check that After plans, where now is the time of the previous one.
// Due times are whole seconds, the grid of the queue: the one nearest to the plan that
// keeps the shortest gap, and for the deadline the first that is not before it.
func (s *Schedule) Due(submitted, now time.Time, deadline time.Duration) time.Time {
	elapsed := max(now.Sub(submitted), 0)
	after := s.After(elapsed, deadline)
	exact := now.Add(after - elapsed)
	due := exact.Round(time.Second)
	if after == deadline {
		if due.Before(exact) {
			due = due.Add(time.Second)
		}
		return due
	}
	if due.Before(now.Add(s.terms.MinGap)) {
		due = due.Add(time.Second)
	}
	return due
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
