package polling

import (
	"math"
	"testing"
)

// What was learned is finite numbers, whatever Redis gives.
func FuzzHistory(f *testing.F) {
	f.Add("latest", "100", "base", "50", "3", "1.5")
	f.Add("latest", "1e308", "base", "-1e308", "0", "1")
	f.Add("latest", "NaN", "hook", "Inf", "-1", "-Inf")
	f.Add("list.n", "1e300", "list", "NaN", "99999999999", "0x1p-2")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3 string) {
		h := decodeHistory(map[string]string{n1: v1, n2: v2, n3: v3})
		numbers := []float64{h.HookMissed, h.ListMissed, h.weightOf(1), h.weightOf(math.MaxInt64)}
		for bin, w := range h.Bins {
			numbers = append(numbers, w)
			if w < 0 {
				t.Errorf("bin %d weighs %g", bin, w)
			}
		}
		for _, x := range numbers {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Errorf("%+v has the number %g", h, x)
			}
		}
	})
}
