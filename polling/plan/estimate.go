package plan

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

const (
	// parentWeight is how many extractions the parent's law counts as: with more than a few
	// samples of its own, a type's own law dominates.
	parentWeight = 10
	// bandwidth is the kernel's width for a single sample, in standard deviations of log T;
	// for n samples it is n^(1/5) times narrower.
	bandwidth = 0.5
)

// Running is one or several extractions that are still at the vendor.
type Running struct {
	// Age is how long it is known not to have finished, in seconds: up to the last "not
	// yet", not up to now. An extraction that has finished since without being polled would
	// otherwise count as slow, and be polled ever later.
	Age float64
	// Weight is how many extractions it counts as; one that has finished counts as 1.
	Weight float64
}

// Estimate returns the law (distribution) behind the observations, shrunk towards the
// parent's: F = (n·own + m·parent)/(n + m) with m = 10. What is still running has taken at
// least its age (the product-limit estimate: Kaplan and Meier, J. Am. Stat. Assoc. 53,
// 1958); without that a burst would look as fast as its fastest.
func Estimate(own Histogram, running []Running, parent Law) Law {
	finished, half := own.weights()
	for k := range finished {
		finished[k] += parentWeight * (parent.cdf[k+1] - parent.cdf[k])
	}
	ages := slices.Clone(running)
	slices.SortFunc(ages, func(a, b Running) int { return cmp.Compare(a.Age, b.Age) })
	left := own.Weight() + parentWeight // Not finished at the start of the bin.
	for _, r := range ages {
		left += r.Weight
	}
	survive := 1.0
	for k, d := range finished {
		for len(ages) > 0 && ages[0].Age < edges[k+1] { // Observed up to here, and no further.
			left -= ages[0].Weight
			ages = ages[1:]
		}
		before := survive
		if d > 0 && left > 1e-9 {
			survive *= max(1-d/left, 0)
		}
		left -= d
		finished[k] = before - survive
	}
	if half > gridRatio-1 {
		finished = average(average(finished, half), half) // Two boxes are a triangle.
	}
	l := Law{cdf: make([]float64, len(edges))}
	for k, share := range finished {
		l.cdf[k+1] = min(l.cdf[k]+share, 1)
	}
	return l
}

// weights are the weights of all bins, and the kernel width of each in log time.
func (h Histogram) weights() (weights []float64, half float64) {
	weights = make([]float64, Bins())
	var n, sum, squares float64
	for k := range weights { // In order: float sums depend on it.
		w := h[k]
		if w <= 0 {
			continue
		}
		u := math.Log((edges[k] + edges[k+1]) / 2)
		weights[k] = w
		n, sum, squares = n+w, sum+w*u, squares+w*u*u
	}
	if n <= 1 {
		return weights, 0
	}
	return weights, bandwidth * math.Sqrt(max(squares/n-sum/n*sum/n, 0)) * math.Pow(n, -0.2)
}

// logEdges are the logarithms of the edges; the first edge, 0, is placed slightly before
// the second.
var logEdges = func() []float64 {
	u := make([]float64, len(edges))
	for k := 1; k < len(u); k++ {
		u[k] = math.Log(edges[k])
	}
	u[0] = u[1] - 1
	return u
}()

// average spreads every weight evenly over half its width to both sides in log time.
func average(weights []float64, half float64) []float64 {
	cum, area := make([]float64, len(edges)), make([]float64, len(edges))
	for k, w := range weights {
		cum[k+1] = cum[k] + w
		area[k+1] = area[k] + (cum[k]+cum[k+1])/2*(logEdges[k+1]-logEdges[k])
	}
	last := len(edges) - 1
	areaAt := func(u float64) float64 {
		if u <= logEdges[0] {
			return 0
		}
		if u >= logEdges[last] {
			return area[last] + cum[last]*(u-logEdges[last])
		}
		k := sort.SearchFloat64s(logEdges, u) - 1
		part := (u - logEdges[k]) / (logEdges[k+1] - logEdges[k])
		return area[k] + (u-logEdges[k])*(cum[k]+part*(cum[k+1]-cum[k])/2)
	}
	out, before := make([]float64, len(weights)), 0.0
	for k := range out {
		u := logEdges[k+1]
		now := (areaAt(u+half) - areaAt(u-half)) / (2 * half)
		out[k] = max(now-before, 0)
		before = now
	}
	out[len(out)-1] += max(cum[last]-before, 0)
	return out
}
