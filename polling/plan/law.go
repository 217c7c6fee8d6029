// Package plan decides when to poll a vendor. It is pure: it takes and returns durations,
// and neither looks up nor remembers anything.
//
// The time from the submission until the vendor finishes is a random variable T whose law
// (distribution) is estimated from observations (Histogram, Estimate). Each check costs as
// much as Terms.Price seconds of delay. Law.Schedule minimises price·E[checks] + E[delay]
// by dynamic programming over a grid of elapsed times. The result depends on elapsed time
// alone: after a check at t, whether early, late, or by another process after a crash, the
// next check is at Schedule.Next(t). No attempt counter is kept.
//
// Optimal checking goes back to Barlow, Hunter and Proschan, "Optimum checking
// procedures", J. SIAM 11 (1963).
package plan

import "sort"

// The grid of elapsed times, in seconds: steps of 0.1 s up to 5 s, where the shortest gap
// is ten steps, then steps of 2 % up to more than two days, after which even the slowest
// vendor has dropped its data.
const (
	gridStep  = 0.1
	gridRatio = 1.02
	gridEnd   = 50 * 3600.0
)

// edges are the ends of the bins: bin k is from edges[k] to edges[k+1].
var edges = func() []float64 {
	var e []float64
	for t := 0.0; t < gridEnd; t += max(gridStep, t*(gridRatio-1)) {
		e = append(e, t)
	}
	return append(e, gridEnd)
}()

// Bins is the number of bins of a Histogram.
func Bins() int { return len(edges) - 1 }

// bin is the bin that contains t seconds; times beyond the grid fall into the last one.
func bin(t float64) int {
	k := sort.SearchFloat64s(edges, t) // The first edge not below t.
	if k < len(edges) && edges[k] == t {
		k++
	}
	return min(max(k-1, 0), Bins()-1)
}

// Law is the distribution of T: the share that has finished by each edge of the grid,
// linear in between. What remains at the last edge never finishes.
type Law struct{ cdf []float64 }

// LawOf returns the law with the given cumulative distribution function of seconds.
func LawOf(cdf func(seconds float64) float64) Law {
	l := Law{cdf: make([]float64, len(edges))}
	for i, t := range edges {
		l.cdf[i] = min(max(cdf(t), 0), 1)
		if i > 0 {
			l.cdf[i] = max(l.cdf[i], l.cdf[i-1])
		}
	}
	return l
}

// Prior is the law that is assumed for an unknown vendor: half of the extractions finish
// within 4 s, 95 % within a minute, with a tail so heavy (log-logistic, shape 1) that gaps
// keep growing like the square root of the elapsed time. The first check comes after 3 s.
// It favours fast vendors because a superfluous check has a known cost, and a slow vendor
// is soon recognised.
func Prior() Law {
	return LawOf(func(t float64) float64 {
		if t < priorFirst {
			return 0
		}
		return 1 - 1/(1+(t-priorFirst)/priorMedian)
	})
}

const (
	// priorFirst is the earliest assumed finish, in seconds: no vendor's documentation or
	// recorded answer shows an earlier one.
	priorFirst = 1.0
	// priorMedian is the time after priorFirst by which half have finished.
	priorMedian = 3.0
)

// At is the share that has finished t seconds after the submission.
func (l Law) At(t float64) float64 {
	if t <= 0 {
		return 0
	}
	if t >= gridEnd {
		return l.cdf[len(l.cdf)-1]
	}
	k := bin(t)
	return l.cdf[k] + (l.cdf[k+1]-l.cdf[k])*(t-edges[k])/(edges[k+1]-edges[k])
}

// Quantile is the time in seconds by which the share p has finished; the end of the grid if
// that share is never reached.
func (l Law) Quantile(p float64) float64 {
	k := sort.SearchFloat64s(l.cdf, p)
	if k == len(l.cdf) {
		return gridEnd
	}
	if k == 0 {
		return 0
	}
	return edges[k-1] + (edges[k]-edges[k-1])*(p-l.cdf[k-1])/(l.cdf[k]-l.cdf[k-1])
}
