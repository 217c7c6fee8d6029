package planner

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNext(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, tt := range []struct {
		name                           string
		elapsed, price, deadline, want time.Duration
	}{
		{"the first check", 0, s, time.Hour, 2 * s},
		{"before it", 500 * time.Millisecond, s, time.Hour, 2 * s},
		{"at it", 2 * s, s, time.Hour, 2 * s},
		{"sqrt of 2t", 50 * s, s, time.Hour, 10 * s},
		{"rounded up", 51 * s, s, time.Hour, 11 * s},
		{"twice the price", 25 * s, 2 * s, time.Hour, 10 * s},
		{"at most five minutes", 20 * time.Hour, s, 100 * time.Hour, 5 * time.Minute},
		{"no price", 50 * s, 0, time.Hour, 10 * s},
		{"a negative price", 50 * s, -s, time.Hour, 10 * s},
		{"a negative time", -5 * s, s, time.Hour, 2 * s},
		{"no deadline", 50 * s, s, 0, 10 * s},
		{"the deadline is nearer", 50 * s, s, 55 * s, 5 * s},
		{"the deadline is just after", 50 * s, s, 61 * s, 11 * s},
		{"the deadline is not much after", 50 * s, s, 63 * s, 10 * s},
		{"the deadline within a second", 50 * s, s, 50*s + 300*time.Millisecond, s},
		{"at the deadline", 50 * s, s, 50 * s, 10 * s},
		{"after the deadline", 50 * s, s, 10 * s, 10 * s},
	} {
		if got := Next(tt.elapsed, tt.price, tt.deadline); got != tt.want {
			t.Errorf("%s: Next(%v, %v, %v) = %v, want %v", tt.name, tt.elapsed, tt.price, tt.deadline, got, tt.want)
		}
	}
}

func duration(from, to time.Duration) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Int64Range(int64(from), int64(to)), func(n int64) time.Duration { return time.Duration(n) })
}

// Whatever goes in: whole seconds, at least one, at most five minutes and what
// the deadline adds.
func TestNextAlways(t *testing.T) {
	t.Parallel()
	durations := rapid.OneOf(
		duration(-time.Hour, 48*time.Hour), duration(0, 5*time.Second),
		rapid.Map(rapid.Int64(), func(n int64) time.Duration { return time.Duration(n) }),
	)
	rapid.Check(t, func(rt *rapid.T) {
		elapsed, price, deadline := durations.Draw(rt, "elapsed"), durations.Draw(rt, "price"), durations.Draw(rt, "deadline")
		got := Next(elapsed, price, deadline)
		if got%time.Second != 0 || got < time.Second || got > maxGap+minGap {
			rt.Fatalf("Next(%v, %v, %v) = %v", elapsed, price, deadline, got)
		}
	})
}

func TestNextGaps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		elapsed := duration(FirstCheck, 24*time.Hour).Draw(rt, "elapsed")
		price := duration(time.Millisecond, time.Minute).Draw(rt, "price")
		far := elapsed + maxGap + minGap + time.Second
		got := Next(elapsed, price, far)
		if got < minGap || got > maxGap {
			rt.Fatalf("the gap is %v, want %v to %v", got, minGap, maxGap)
		}
		want := math.Sqrt(2 * price.Seconds() * elapsed.Seconds())
		want = min(max(want, minGap.Seconds()), maxGap.Seconds())
		if d := got.Seconds() - want; d < -1e-6 || d >= 1 {
			rt.Fatalf("the gap is %v, want %v rounded up", got, want)
		}
		// The longer it took, the longer the gap; the dearer a request too.
		if later := Next(elapsed+duration(0, time.Hour).Draw(rt, "more"), price, 1000*time.Hour); later < got {
			rt.Fatalf("the gap falls from %v to %v", got, later)
		}
		if dearer := Next(elapsed, 2*price, far); dearer < got {
			rt.Fatalf("at twice the price the gap falls from %v to %v", got, dearer)
		}
	})
}

// Checks one after the other reach every deadline: the last is at it or less
// than a second later, and none is in the two seconds before.
func TestNextHitsDeadline(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		deadline := duration(3*time.Second, 3*time.Hour).Draw(rt, "deadline")
		price := duration(time.Millisecond, time.Minute).Draw(rt, "price")
		at := time.Duration(0)
		for range 100_000 {
			gap := Next(at, price, deadline)
			at += gap
			if at >= deadline {
				if at >= deadline+time.Second {
					rt.Fatalf("the deadline %v is followed by a check at %v", deadline, at)
				}
				return
			}
			if deadline-at < minGap {
				rt.Fatalf("the deadline %v is %v after a check", deadline, deadline-at)
			}
		}
		rt.Fatalf("no check reaches %v", deadline)
	})
}

// A whole hour costs few requests: about as many as the prior promises.
func TestNextIsCheap(t *testing.T) {
	t.Parallel()
	n := 0
	for at := time.Duration(0); at < time.Hour; n++ {
		at += Next(at, time.Second, time.Hour)
	}
	if n > 90 {
		t.Errorf("an hour takes %d checks, want at most 90", n)
	}
}
