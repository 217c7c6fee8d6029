package sandbox

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Latency is the law of the processing times of documents: always the same
// time, or log-normal, which is how the times of real services spread. Its zero
// value is no time at all.
//
// It is a flag.Value and an encoding.TextUnmarshaler.
type Latency struct {
	// Median is the time that half of the documents take less than.
	Median time.Duration
	// Sigma is the standard deviation of the logarithm of the time; 0 is a fixed
	// time. At 0.54 one document in twenty takes longer than 2.4 medians.
	Sigma float64
}

// maxLatency keeps a draw from the far tail a duration that can be added to a
// time.
const maxLatency = 30 * 24 * time.Hour

// Fixed is the law by which every document takes d.
func Fixed(d time.Duration) Latency { return Latency{Median: d} }

// LogNormal is the law with that median and that sigma.
func LogNormal(median time.Duration, sigma float64) Latency {
	return Latency{Median: median, Sigma: sigma}
}

// ParseLatency reads "2s" or "lognormal:14s,0.54".
func ParseLatency(s string) (Latency, error) {
	law, isLogNormal := strings.CutPrefix(s, "lognormal:")
	if !isLogNormal {
		law = strings.TrimPrefix(law, "fixed:")
	}
	medianText, sigmaText, hasSigma := strings.Cut(law, ",")
	median, err := time.ParseDuration(strings.TrimSpace(medianText))
	if err != nil || median < 0 || median > maxLatency || hasSigma != isLogNormal {
		return Latency{}, fmt.Errorf("processing time %q: want a duration such as 2s, or lognormal:MEDIAN,SIGMA such as lognormal:14s,0.54", s)
	}
	if !isLogNormal {
		return Fixed(median), nil
	}
	sigma, err := strconv.ParseFloat(strings.TrimSpace(sigmaText), 64)
	if err != nil || !(sigma >= 0 && sigma <= 5) {
		return Latency{}, fmt.Errorf("processing time %q: sigma must be a number from 0 to 5", s)
	}
	return LogNormal(median, sigma), nil
}

// String is the form that ParseLatency reads.
func (l Latency) String() string {
	if l.Sigma == 0 {
		return l.Median.String()
	}
	return fmt.Sprintf("lognormal:%s,%s", l.Median, strconv.FormatFloat(l.Sigma, 'g', -1, 64))
}

// Set parses s; with it Latency is a flag.Value.
func (l *Latency) Set(s string) error {
	law, err := ParseLatency(s)
	if err == nil {
		*l = law
	}
	return err
}

// UnmarshalText parses text as Set does.
func (l *Latency) UnmarshalText(text []byte) error { return l.Set(string(text)) }

// MarshalText is String as bytes.
func (l Latency) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Draw is one time by the law.
func (l Latency) Draw(rng *rand.Rand) time.Duration {
	if l.Sigma == 0 {
		return l.Median
	}
	d := float64(l.Median) * math.Exp(l.Sigma*rng.NormFloat64())
	return time.Duration(min(d, float64(maxLatency)))
}
