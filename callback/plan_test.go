package callback

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The whole plan without chance, as it is written down for producers.
func TestPlan(t *testing.T) {
	t.Parallel()
	var got []time.Duration
	var since time.Duration
	for attempt := 1; ; attempt++ {
		delay, ok := next(attempt, since, 0, 0.5)
		if !ok {
			break
		}
		since += delay
		got = append(got, since)
	}
	want := []time.Duration{
		5 * time.Second, 35 * time.Second, 2*time.Minute + 35*time.Second, 7*time.Minute + 35*time.Second,
		22*time.Minute + 35*time.Second, 52*time.Minute + 35*time.Second, time.Hour + 52*time.Minute + 35*time.Second,
		3*time.Hour + 52*time.Minute + 35*time.Second, 7*time.Hour + 52*time.Minute + 35*time.Second,
		15*time.Hour + 52*time.Minute + 35*time.Second, 27*time.Hour + 52*time.Minute + 35*time.Second,
		39*time.Hour + 52*time.Minute + 35*time.Second, 51*time.Hour + 52*time.Minute + 35*time.Second,
		63*time.Hour + 52*time.Minute + 35*time.Second, 72 * time.Hour,
	}
	if len(got) != len(want) {
		t.Fatalf("%d repetitions at %v, want %d", len(got), got, len(want))
	}
	for i := range want {
		if diff := got[i] - want[i]; diff.Abs() > time.Microsecond {
			t.Errorf("repetition %d is %s after the first attempt, want %s", i+1, got[i], want[i])
		}
	}
}

// Whatever chance and the host say, the plan ends, its last attempt is at the
// end unless the host forbids it, and no attempt is earlier than asked for.
func TestPlanEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var since time.Duration
		for attempt := 1; ; attempt++ {
			if attempt > 100 {
				rt.Fatalf("attempt %d after %s", attempt, since)
			}
			asked := time.Duration(0)
			if rapid.IntRange(0, 9).Draw(rt, "asks") == 0 {
				asked = time.Duration(rapid.Int64Range(int64(time.Second), int64(24*time.Hour)).Draw(rt, "asked"))
			}
			delay, ok := next(attempt, since, asked, rapid.Float64Range(0, 1).Draw(rt, "chance"))
			if !ok {
				if since < window && since+asked <= window {
					rt.Fatalf("given up after %s, asked for %s", since, asked)
				}
				return
			}
			if planned := delays[min(attempt, len(delays))-1]; delay < asked || since+delay > window ||
				delay < planned*9/10 && since+delay < window || delay > planned*11/10+1 && delay > asked*11/10+1 {
				rt.Fatalf("attempt %d waits %s at %s, asked for %s", attempt, delay, since, asked)
			}
			since += delay
		}
	})
}

// Numbers that no record should have come to an answer all the same.
func TestPlanOfNonsense(t *testing.T) {
	t.Parallel()
	for _, attempt := range []int{-1, 0, 1} {
		if delay, ok := Next(attempt, -time.Hour, 0); !ok || delay < 4*time.Second || delay > 6*time.Second {
			t.Errorf("Next(%d) = %s, %v", attempt, delay, ok)
		}
	}
	if delay, ok := Next(1<<40, 100*time.Hour, 0); ok {
		t.Errorf("after the end: %s", delay)
	}
	different := map[time.Duration]bool{}
	for range 100 {
		delay, _ := Next(11, 0, 0)
		different[delay] = true
	}
	if len(different) < 50 {
		t.Errorf("%d different delays of 100", len(different))
	}
}
