package render

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

func line(p *Progress) string {
	line, _ := p.text()
	return line
}

// page is a writer that many goroutines may use.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *transcript) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *transcript) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func TestProgressWritesALineAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out transcript
		p := NewProgress(&out, false, 100, time.Now)
		p.Add(40)
		for range 30 {
			time.Sleep(time.Second) // virtual
			p.Done(Tally{Success: true})
		}
		time.Sleep(35 * time.Second)
		p.Done(Tally{Code: extraction.CodeExpired})
		time.Sleep(60 * time.Second)
		p.Close()
		p.Close()
		want := `30 of 100 done, 10 in flight
31 of 100 done, 1 failed, 9 in flight
31 of 100 done, 30 succeeded, 1 failed (1 expired), 9 still in flight, in 2m5s
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

func TestSkippedOnesHaveNoPartInTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewProgress(&transcript{}, false, 1000, time.Now)
		defer p.Close()
		for range 900 {
			p.Skip(Tally{Success: true})
		}
		p.Add(2)
		time.Sleep(10 * time.Second)
		p.Done(Tally{Success: true})
		if got, want := line(p), "901 of 1000 done, 1 in flight, 6.0/min, about 16m30s left"; got != want {
			t.Errorf("text = %q, want %q", got, want)
		}
		if got := p.Finished(); got != 901 {
			t.Errorf("Finished() = %d, want 901", got)
		}
	})
}

func TestProgressShowsABar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out transcript
		p := NewProgress(&out, true, 2, time.Now)
		p.Add(2)
		p.Done(Tally{Success: true})
		time.Sleep(time.Second)
		if _, err := p.Write([]byte("a log line\n")); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		p.Done(Tally{Code: extraction.CodeExpired})
		p.Close()
		if _, err := p.Write([]byte("a late line\n")); err != nil {
			t.Error(err)
		}
		got := out.String()
		for _, want := range []string{"1 of 2 done, 1 in flight", "a log line\n", "2 of 2 done, 1 succeeded, 1 failed (1 expired), in 2s\na late line\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("output lacks %q: %q", want, got)
			}
		}
		if !strings.HasSuffix(got, "a late line\n") {
			t.Errorf("output goes on after Close: %q", got)
		}
	})
}

// TestProgressIsForManyGoroutines would hang if the bar and its text waited for
// each other.
func TestProgressIsForManyGoroutines(t *testing.T) {
	t.Parallel()
	const n = 2000
	var out transcript
	p := NewProgress(&out, true, n, time.Now)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := range n / 8 {
				p.Add(1)
				p.Done(Tally{Success: true})
				if i%50 == 0 {
					_, _ = p.Write([]byte("log\n"))
				}
			}
		})
	}
	workers.Wait()
	p.Close()
	if want := "2000 of 2000 done, in "; !strings.Contains(out.String(), want) {
		t.Errorf("output lacks %q", want)
	}
}

func TestRatePerSecond(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	for name, tt := range map[string]struct {
		samples []sample
		now     int
		want    float64
	}{
		"none ended":   {[]sample{{at(0), 0}}, 10, 0},
		"steady":       {[]sample{{at(0), 0}, {at(5), 10}, {at(10), 20}}, 10, 2},
		"stalled":      {[]sample{{at(0), 0}, {at(10), 20}}, 40, 0.5},
		"old is left":  {[]sample{{at(0), 0}, {at(10), 100}, {at(100), 150}}, 110, 0.5},
		"all is old":   {[]sample{{at(0), 0}, {at(10), 100}}, 200, 0},
		"no time went": {[]sample{{at(0), 0}, {at(0), 1}}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ratePerSecond(tt.samples, at(tt.now), 100*time.Second); got != tt.want {
				t.Errorf("ratePerSecond = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPaceKeepsFewSamples(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	p := newPace(start)
	for i := range 100_000 {
		p.record(start.Add(time.Duration(i)*10*time.Millisecond), 1)
	}
	if n := len(p.samples); n > 130 {
		t.Errorf("samples = %d, want about one a second of the window", n)
	}
	if got := p.perSecond(start.Add(1000 * time.Second)); got < 99 || got > 101 {
		t.Errorf("rate = %v, want 100", got)
	}
}

func TestRemainingTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rest int
		rate float64
		want time.Duration
	}{
		{10, 2, 5 * time.Second}, {0, 2, 0}, {10, 0, 0}, {-1, 1, 0}, {1_000_000_000, 0.001, 0},
	} {
		if got := remainingTime(tt.rest, tt.rate); got != tt.want {
			t.Errorf("remainingTime(%d, %v) = %v, want %v", tt.rest, tt.rate, got, tt.want)
		}
	}
}

func TestCountsText(t *testing.T) {
	t.Parallel()
	failed := counts{total: 60}
	for i := range 60 {
		switch {
		case i < 3:
			failed.finish(Tally{Code: extraction.CodeExpired})
		case i < 13:
			failed.finish(Tally{Code: extraction.CodeVendorFailed})
		case i == 13:
			failed.finish(Tally{Success: true, Code: extraction.CodeResultUnavailable})
		default:
			failed.finish(Tally{Success: true})
		}
	}
	for want, got := range map[string]string{
		"5 done, 3 in flight": counts{done: 5, inFlight: 3}.line(0),
		"5 of 9 done, 1 failed, 3 in flight, 2.0/s, about 2s left": counts{total: 9, done: 5, failed: 1, inFlight: 3}.line(2),
		"9 of 9 done, 120/s":    counts{total: 9, done: 9}.line(120),
		"9 of 9 done, in 2h15m": counts{total: 9, done: 9}.last(2*time.Hour+15*time.Minute+time.Second, ""),
		"0 of 9 done, in 120ms": counts{total: 9}.last(123*time.Millisecond, ""),
		"60 of 60 done, 46 succeeded, 13 failed (10 vendor_failed, 3 expired), 1 result unavailable, in 1s": failed.last(time.Second, ""),
		"5 of 9 done, 1 at the vendor, 3 not submitted, in 1s":                                              counts{total: 9, done: 5, inFlight: 4}.last(time.Second, "1 at the vendor, 3 not submitted"),
		"1.5/min": Rate(0.025),
	} {
		if got != want {
			t.Errorf("text = %q, want %q", got, want)
		}
	}
}

// TestProgressSaysWhatItWaitsFor in place of an estimate that would climb.
func TestProgressSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, terminal := range []bool{false, true} {
			var out transcript
			p := NewProgress(&out, terminal, 10, time.Now)
			p.Add(9)
			time.Sleep(time.Second)
			p.Done(Tally{Success: true})
			p.Holds("paused: the vendor does not answer")
			time.Sleep(61 * time.Second)
			p.Left("8 not submitted")
			p.Results("results/")
			p.Close()
			got := out.String()
			if !strings.Contains(got, "paused: the vendor does not answer") || strings.Contains(got, "left") {
				t.Errorf("terminal %t: %q, want what it waits for and no estimate", terminal, got)
			}
			if !strings.HasSuffix(got, "1 of 10 done, 8 not submitted, in 1m2s → results/\n") {
				t.Errorf("terminal %t: the end is %q", terminal, got)
			}
		}
	})
}
