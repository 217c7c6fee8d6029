package plan

import (
	"math"
	"math/rand/v2"
)

// truth is a known distribution of T in seconds.
type truth struct {
	name string
	cdf  func(t float64) float64
	draw func(r *rand.Rand) float64
}

func lognormal(median, sigma float64) truth {
	return truth{
		name: "lognormal",
		cdf: func(t float64) float64 {
			if t <= 0 {
				return 0
			}
			return math.Erfc(-math.Log(t/median)/sigma/math.Sqrt2) / 2
		},
		draw: func(r *rand.Rand) float64 { return median * math.Exp(sigma*r.NormFloat64()) },
	}
}

func uniform(end float64) truth {
	return truth{
		name: "uniform",
		cdf:  func(t float64) float64 { return min(t/end, 1) },
		draw: func(r *rand.Rand) float64 { return end * r.Float64() },
	}
}

func exponential(mean float64) truth {
	return truth{
		name: "exponential",
		cdf:  func(t float64) float64 { return 1 - math.Exp(-t/mean) },
		draw: func(r *rand.Rand) float64 { return mean * r.ExpFloat64() },
	}
}

func mixture(share float64, a, b truth) truth {
	return truth{
		name: "mixture",
		cdf:  func(t float64) float64 { return share*a.cdf(t) + (1-share)*b.cdf(t) },
		draw: func(r *rand.Rand) float64 {
			if r.Float64() < share {
				return a.draw(r)
			}
			return b.draw(r)
		},
	}
}

// typical is a vendor with a median of 14 s and a 95th percentile of 34 s.
var typical = lognormal(14, math.Log(34.0/14)/1.6449)

var truths = []truth{typical, uniform(60), exponential(10), mixture(0.85, lognormal(8, 0.4), lognormal(60, 0.5))}

// cost is what checks at next(0), next(next(0)) … come to under a law: their number
// and the delay in seconds.
func (tr truth) cost(next func(t float64) float64) (checks, delay float64) {
	const steps = 50
	for from := 0.0; 1-tr.cdf(from) > 1e-7 && from < gridEnd; {
		to := next(from)
		checks += 1 - tr.cdf(from)
		for k := range steps {
			delay += (tr.cdf(from+(to-from)*(float64(k)+0.5)/steps) - tr.cdf(from)) * (to - from) / steps
		}
		from = to
	}
	return checks, delay
}

func (tr truth) costOf(s *Schedule) (checks, delay float64) {
	return tr.cost(func(t float64) float64 { return s.After(seconds(t), 0).Seconds() })
}

// everyFive is the fixed interval of the vendors' own SDKs.
func everyFive(t float64) float64 { return t + 5 }
