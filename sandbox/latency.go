package sandbox

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Latency is the law of the processing times of documents: always the same time,
// log-normal, which is how the times of real services spread, uniform, exponential,
// or a mixture of these. Its zero value is no time at all.
//
// It is a flag.Value and an encoding.TextUnmarshaler.
type Latency struct {
	// parts are the laws it is mixed from; none is no time at all.
	parts []part
}

// part is one law and the share of documents that go by it.
type part struct {
	share float64
	kind  kind
	// time is the fixed time, the median, the mean or the end of the law.
	time time.Duration
	// from is where a uniform law begins, sigma the standard deviation of the
	// logarithm of a log-normal time.
	from  time.Duration
	sigma float64
}

// kind is one of the laws by its name.
type kind string

const (
	fixed       kind = "fixed"
	logNormal   kind = "lognormal"
	uniform     kind = "uniform"
	exponential kind = "exponential"
)

// maxLatency keeps a draw from the far tail a duration that can be added to a
// time.
const maxLatency = 30 * 24 * time.Hour

// Fixed is the law by which every document takes d.
func Fixed(d time.Duration) Latency { return one(part{kind: fixed, time: d}) }

// LogNormal is the law with that median and that standard deviation of the
// logarithm. At a sigma of 0.54 one document in twenty takes longer than 2.4 medians.
func LogNormal(median time.Duration, sigma float64) Latency {
	return one(part{kind: logNormal, time: median, sigma: sigma})
}

// Uniform is the law by which any time between two is as likely as any other.
func Uniform(from, to time.Duration) Latency {
	return one(part{kind: uniform, from: from, time: to})
}

// Exponential is the law without memory and with that mean.
func Exponential(mean time.Duration) Latency { return one(part{kind: exponential, time: mean}) }

func one(p part) Latency {
	p.share = 1
	return Latency{parts: []part{p}}
}

// IsZero reports whether documents take no time.
func (l Latency) IsZero() bool {
	return len(l.parts) == 0 || len(l.parts) == 1 && l.parts[0].time == 0
}

// Equal reports whether both are written the same.
func (l Latency) Equal(o Latency) bool { return slices.Equal(l.parts, o.parts) }

// Draw is one time by the law.
func (l Latency) Draw(rng *rand.Rand) time.Duration {
	if len(l.parts) == 0 {
		return 0
	}
	p := l.parts[len(l.parts)-1]
	if len(l.parts) > 1 {
		u := rng.Float64()
		for _, q := range l.parts {
			if u -= q.share; u < 0 {
				p = q
				break
			}
		}
	}
	return p.draw(rng)
}

func (p part) draw(rng *rand.Rand) time.Duration {
	d := float64(p.time)
	switch p.kind {
	case fixed:
	case logNormal:
		if p.sigma > 0 {
			d *= math.Exp(p.sigma * rng.NormFloat64())
		}
	case uniform:
		d = float64(p.from) + float64(p.time-p.from)*rng.Float64()
	case exponential:
		d *= rng.ExpFloat64()
	}
	return time.Duration(min(d, float64(maxLatency)))
}

// CDF is the share of documents that take at most so many seconds.
func (l Latency) CDF(seconds float64) float64 {
	if len(l.parts) == 0 {
		return part{kind: fixed}.cdf(seconds)
	}
	sum := 0.0
	for _, p := range l.parts {
		sum += p.share * p.cdf(seconds)
	}
	return sum
}

func (p part) cdf(t float64) float64 {
	d := p.time.Seconds()
	switch {
	case t < 0:
		return 0
	case p.kind == uniform:
		from := p.from.Seconds()
		if t >= d {
			return 1
		}
		return max((t-from)/(d-from), 0)
	case p.kind == exponential && d > 0:
		return 1 - math.Exp(-t/d)
	case p.kind == logNormal && p.sigma > 0 && d > 0:
		if t == 0 {
			return 0
		}
		return math.Erfc(-math.Log(t/d)/p.sigma/math.Sqrt2) / 2
	case t < d:
		return 0
	}
	return 1
}

// Quantile is the time that so large a share of documents, above 0 and below 1, takes
// at most.
func (l Latency) Quantile(share float64) time.Duration {
	if len(l.parts) == 0 {
		return 0
	}
	// It lies between those of the parts.
	from, to := math.Inf(1), 0.0
	for _, p := range l.parts {
		q := p.quantile(share)
		from, to = min(from, q), max(to, q)
	}
	for range 60 {
		middle := from + (to-from)/2
		if middle <= from || middle >= to {
			break
		}
		if l.CDF(middle) < share {
			from = middle
		} else {
			to = middle
		}
	}
	return time.Duration(min(to*float64(time.Second), float64(maxLatency)))
}

// quantile is in seconds.
func (p part) quantile(share float64) float64 {
	d := p.time.Seconds()
	switch p.kind {
	case logNormal:
		return d * math.Exp(p.sigma*math.Sqrt2*math.Erfinv(2*share-1))
	case uniform:
		from := p.from.Seconds()
		return from + (d-from)*share
	case exponential:
		return -d * math.Log1p(-share)
	case fixed:
	}
	return d
}
