package callback

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A hundred thousand callbacks in a week in which hosts are down for as long as chance will
// have it, some for good: no host is tried more often or later than the plan says, one that
// comes back within the 72 hours hears of its extraction by the next attempt, and the last
// attempt is at the end of them.
func TestWeekOfCallbacks(t *testing.T) {
	t.Parallel()
	const (
		callbacks = 100_000
		attempts  = 16 // The first and the fifteen of TestPlan,
		slack     = 2  // and chance may shorten the waits by a tenth.
	)
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	delivered, failed, most := 0, 0, 0
	for i := range callbacks {
		back := time.Duration(rng.Int64N(int64(5 * time.Minute)))
		switch i % 10 {
		case 0:
			back = time.Duration(rng.Int64N(int64(window)))
		case 1: // A host that never comes back.
			back = 7 * 24 * time.Hour
		}
		patience := time.Duration(0) // What the host asks for with each refusal.
		if i%7 == 0 {
			patience = time.Duration(rng.Int64N(int64(2 * time.Hour)))
		}
		at, n := time.Duration(0), 1
		for ; at < back; n++ {
			delay, ok := next(n, at, patience, rng.Float64())
			if !ok {
				break
			}
			if delay <= 0 || delay < min(patience, window-at) || at+delay > window {
				t.Fatalf("seed %d: attempt %d comes %v after the one at %v, asked for %v", seed, n+1, delay, at, patience)
			}
			longest := max(delays[min(n, len(delays))-1], patience)
			if delay > longest+longest/10+1 {
				t.Fatalf("seed %d: attempt %d comes %v after the one at %v, the plan has %v", seed, n+1, delay, at, longest)
			}
			at += delay
		}
		most = max(most, n)
		switch {
		case n > attempts+slack:
			t.Fatalf("seed %d: %d attempts", seed, n)
		case at >= back:
			delivered++
		case patience == 0 && at != window, at+patience <= window && at != window:
			t.Fatalf("seed %d: given up after %v and %d attempts, asked for %v", seed, at, n, patience)
		default:
			failed++
		}
	}
	t.Logf("seed %d: %d delivered, %d ended without, at most %d attempts", seed, delivered, failed, most)
	if delivered < callbacks*8/10 || failed < callbacks/10 {
		t.Errorf("seed %d: %d delivered and %d not: this shows nothing", seed, delivered, failed)
	}
}
