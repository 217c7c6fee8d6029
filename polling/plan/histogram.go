package plan

import (
	"maps"
	"slices"
)

// Histogram is a weighted histogram of observed times over the bins of the grid. The zero
// value is empty.
type Histogram map[int]float64

// Add counts one extraction that finished seconds after its submission.
func (h Histogram) Add(seconds, weight float64) { h[bin(max(seconds, 0))] += weight }

// AddBetween counts one that finished after from, the last "not yet", and no later than to.
// Its weight is spread in proportion to law.
func (h Histogram) AddBetween(from, to, weight float64, by Law) {
	from = min(max(from, 0), gridEnd)
	to = min(max(to, from), gridEnd)
	first, last := bin(from), bin(to)
	total := by.At(to) - by.At(from)
	if first == last || total < 1e-9 {
		h.spread(from, to, weight)
		return
	}
	for k := first; k <= last; k++ {
		share := by.At(min(to, edges[k+1])) - by.At(max(from, edges[k]))
		if share > 0 {
			h[k] += weight * share / total
		}
	}
}

// spread distributes a weight evenly between two times.
func (h Histogram) spread(from, to, weight float64) {
	first, last := bin(from), bin(to)
	if to-from < gridStep || first == last {
		h[first] += weight
		return
	}
	for k := first; k <= last; k++ {
		h[k] += weight * max(min(to, edges[k+1])-max(from, edges[k]), 0) / (to - from)
	}
}

// Weight is how many extractions the histogram represents.
func (h Histogram) Weight() float64 {
	n := 0.0
	for _, k := range slices.Sorted(maps.Keys(h)) { // In order: float sums depend on it.
		n += h[k]
	}
	return n
}

// Merge adds another histogram, scaled by a factor.
func (h Histogram) Merge(other Histogram, factor float64) {
	for k, w := range other {
		h[k] += w * factor
	}
}
