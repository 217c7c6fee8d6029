package sandbox_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/sandbox"
)

func TestParseLatency(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sandbox.Latency{
		"2s":                   sandbox.Fixed(2 * time.Second),
		"0s":                   sandbox.Fixed(0),
		"fixed:1m":             sandbox.Fixed(time.Minute),
		"lognormal:14s,0.54":   sandbox.LogNormal(14*time.Second, 0.54),
		"lognormal: 1m30s , 1": sandbox.LogNormal(90*time.Second, 1),
		"uniform:0s,60s":       sandbox.Uniform(0, time.Minute),
		"exponential:10s":      sandbox.Exponential(10 * time.Second),
		"1*exponential:10s":    sandbox.Exponential(10 * time.Second),
	} {
		got, err := sandbox.ParseLatency(text)
		if err != nil || !got.Equal(want) {
			t.Errorf("ParseLatency(%q) = %v, %v, want %v", text, got, err, want)
		}
		if again, err := sandbox.ParseLatency(got.String()); err != nil || !again.Equal(want) {
			t.Errorf("ParseLatency(%q) = %v, %v, want %v", got.String(), again, err, want)
		}
	}
	mixture := "0.85*lognormal:8s,0.4+0.15*lognormal:1m0s,0.5"
	if got, err := sandbox.ParseLatency(mixture); err != nil || got.String() != mixture {
		t.Errorf("ParseLatency(%q) = %v, %v", mixture, got, err)
	}
}

func TestParseLatencyRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "want a duration", "2": "want a duration", "-1s": "want a duration", "9000h": "want a duration",
		"lognormal:14s": "want a duration", "14s,0.5": "want a duration", "pareto:2s": "want a duration",
		"exponential:2s,1": "want a duration", "2s+": "want a duration",
		"lognormal:14s,x": "sigma", "lognormal:14s,-1": "sigma", "lognormal:14s,NaN": "sigma",
		"uniform:9s,2s": "TO after FROM", "uniform:2s,x": "TO after FROM",
		"0.5*2s+0.4*3s": "the shares make 0.9", "2s+3s": "the shares make 2",
		"0*2s+1*3s": `share "0"`, "x*2s": `share "x"`, "NaN*2s": `share "NaN"`,
	} {
		got, err := sandbox.ParseLatency(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseLatency(%q) = %v, %v, want an error with %s", text, got, err, want)
		}
	}
}

// What is drawn is what CDF says, for each of the laws, and Quantile is the way back.
func TestLatencyDrawsByItsLaw(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"lognormal:14s,0.54", "uniform:5s,60s", "exponential:10s", "0.85*lognormal:8s,0.4+0.15*lognormal:60s,0.5", "0.5*2s+0.5*uniform:3s,4s",
	} {
		law, err := sandbox.ParseLatency(text)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		draws := make([]float64, 20_000)
		for i := range draws {
			draws[i] = law.Draw(rng).Seconds()
		}
		slices.Sort(draws)
		for _, at := range []float64{0.5, 2.5, 3.3, 5, 8, 14, 34, 59, 120} {
			below, _ := slices.BinarySearch(draws, at)
			got, want := float64(below)/float64(len(draws)), law.CDF(at)
			if math.Abs(got-want) > 0.015 {
				t.Errorf("%s: %.3f of the draws are below %g s, CDF says %.3f", text, got, at, want)
			}
		}
		for share := 0.001; share < 1; share += 0.0499 {
			at := law.Quantile(share).Seconds()
			if before, after := law.CDF(at-1e-6), law.CDF(at+1e-6); before > share || after < share {
				t.Errorf("%s: %.3f take at most %g s, CDF says %.4f to %.4f", text, share, at, before, after)
			}
		}
	}
	log := sandbox.LogNormal(14*time.Second, 0.54)
	if got := log.CDF(34); math.Abs(got-0.95) > 0.002 {
		t.Errorf("%v: %.4f within 34 s, want 0.95", log, got)
	}
	if got := (sandbox.Latency{}).Quantile(0.5); got != 0 {
		t.Errorf("no law takes %v", got)
	}
	for at, want := range map[float64]float64{-1: 0, 1.9: 0, 2: 1} {
		if got := sandbox.Fixed(2 * time.Second).CDF(at); got != want {
			t.Errorf("always 2 s: %g within %g s, want %g", got, at, want)
		}
	}
}
