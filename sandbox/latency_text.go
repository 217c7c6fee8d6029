package sandbox

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// lawForms are what ParseLatency reads, for errors.
const lawForms = "a duration such as 2s, lognormal:MEDIAN,SIGMA such as lognormal:14s,0.54, " +
	"uniform:FROM,TO, exponential:MEAN, or a mixture such as 0.85*lognormal:8s,0.4+0.15*lognormal:60s,0.5"

// ParseLatency reads "2s", "lognormal:14s,0.54", "uniform:0s,60s", "exponential:10s",
// and mixtures of them with shares that make 1: "0.9*2s+0.1*exponential:1m".
func ParseLatency(s string) (Latency, error) {
	terms := strings.Split(s, "+")
	var l Latency
	sum := 0.0
	for _, term := range terms {
		share := 1.0
		shareText, law, mixed := strings.Cut(term, "*")
		if mixed {
			var err error
			if share, err = strconv.ParseFloat(strings.TrimSpace(shareText), 64); err != nil || !(share > 0 && share <= 1) {
				return Latency{}, fmt.Errorf("processing time %q: the share %q must be a number above 0 and at most 1", s, shareText)
			}
		} else {
			law = term
		}
		p, err := parsePart(strings.TrimSpace(law))
		if err != nil {
			return Latency{}, fmt.Errorf("processing time %q: %w", s, err)
		}
		p.share = share
		sum += share
		l.parts = append(l.parts, p)
	}
	if math.Abs(sum-1) > 1e-6 {
		return Latency{}, fmt.Errorf("processing time %q: the shares make %g, want 1", s, sum)
	}
	return l, nil
}

func parsePart(s string) (part, error) {
	name, args, named := strings.Cut(s, ":")
	if !named {
		name, args = string(fixed), s
	}
	p := part{kind: kind(strings.TrimSpace(name))}
	first, second, two := strings.Cut(args, ",")
	want := fmt.Errorf("want %s", lawForms)
	var ok bool
	if p.time, ok = parseTime(first); !ok || two != (p.kind == logNormal || p.kind == uniform) {
		return part{}, want
	}
	switch p.kind {
	case fixed, exponential:
	case logNormal:
		var err error
		if p.sigma, err = strconv.ParseFloat(strings.TrimSpace(second), 64); err != nil || !(p.sigma >= 0 && p.sigma <= 5) {
			return part{}, fmt.Errorf("sigma must be a number from 0 to 5")
		}
	case uniform:
		p.from = p.time
		if p.time, ok = parseTime(second); !ok || p.time <= p.from {
			return part{}, fmt.Errorf("want uniform:FROM,TO with TO after FROM, such as uniform:0s,60s")
		}
	default:
		return part{}, want
	}
	return p, nil
}

func parseTime(s string) (time.Duration, bool) {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	return d, err == nil && d >= 0 && d <= maxLatency
}

// String is the form that ParseLatency reads.
func (l Latency) String() string {
	if len(l.parts) == 0 {
		return time.Duration(0).String()
	}
	var terms []string
	for _, p := range l.parts {
		text := p.String()
		if p.share != 1 {
			text = number(p.share) + "*" + text
		}
		terms = append(terms, text)
	}
	return strings.Join(terms, "+")
}

func (p part) String() string {
	switch {
	case p.kind == logNormal && p.sigma > 0:
		return fmt.Sprintf("%s:%s,%s", p.kind, p.time, number(p.sigma))
	case p.kind == uniform:
		return fmt.Sprintf("%s:%s,%s", p.kind, p.from, p.time)
	case p.kind == exponential:
		return fmt.Sprintf("%s:%s", p.kind, p.time)
	}
	return p.time.String()
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

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
