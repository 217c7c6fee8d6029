// Package plan says when to ask the vendor again. It is pure: durations go in
// and come out, and nothing is looked up or remembered.
//
// The time from the submission to the vendor's finish is a random T whose law is
// learned (Histogram, Estimate). Checks cost Terms.Price seconds of delay each, and
// Law.Schedule finds those that minimise price·E[checks] + E[delay] by dynamic
// programming over a grid of elapsed times. The result is a table keyed by elapsed
// time alone: after a check at t, early, late or by another process after a crash,
// the next one is at Schedule.Next(t), so there is no attempt counter to keep.
//
// Optimal checking goes back to Barlow, Hunter and Proschan, "Optimum checking
// procedures", J. SIAM 11 (1963).
package plan

import "sort"

// The grid of elapsed times, in seconds: steps of a tenth up to five seconds,
// where the shortest gap is ten steps, then two percent each, up to more than two
// days, after which the slowest vendor has dropped what it was given.
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

// bin is the bin that t seconds fall into; what is beyond the grid falls into the
// last one.
func bin(t float64) int {
	k := sort.SearchFloat64s(edges, t) // The first edge not below t.
	if k < len(edges) && edges[k] == t {
		k++
	}
	return min(max(k-1, 0), Bins()-1)
}

// Law is the distribution of T: the share that has finished by each edge of the
// grid, linear between them. What is left at the last edge never finishes.
type Law struct{ cdf []float64 }

// LawOf is the law with a cumulative distribution function of seconds.
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

// Prior is what is believed of a vendor that nothing is known about: half within
// four seconds, 95 of 100 within a minute, and a tail so heavy (log-logistic, of
// shape 1) that gaps keep growing like the square root of the time gone by. The
// first check comes after three seconds. Quick vendors are favoured because what a
// check too many costs is known, and a slow vendor is soon recognised.
func Prior() Law {
	return LawOf(func(t float64) float64 {
		if t < priorFirst {
			return 0
		}
		return 1 - 1/(1+(t-priorFirst)/priorMedian)
	})
}

const (
	// priorFirst is the earliest finish believed in, in seconds: no vendor's
	// documentation or recorded answer shows a document done earlier.
	priorFirst = 1.0
	// priorMedian is how long after it half have finished.
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

// Quantile is the time by which the share p has finished, in seconds; the end of
// the grid where less ever does.
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
