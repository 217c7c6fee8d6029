package worker

import (
	"testing"

	"github.com/extractq/extractq/limiter"
)

// However few slots there are, submissions that wait leave polls a place, where there
// is a slot for a poll at all: without one it could only go when the rate is not used,
// and submissions use it all.
func TestPollsHaveAPlace(t *testing.T) {
	t.Parallel()
	for concurrency := 2; concurrency <= 64; concurrency++ {
		p := newPlaces(concurrency)
		waiting := 0
		for {
			if _, ok := p.take(limiter.OpSubmit); !ok {
				break
			}
			waiting++
		}
		if _, ok := p.take(limiter.OpPoll); !ok || waiting == 0 {
			t.Errorf("with %d slots, %d of them with waiting submissions, a poll finds a place: %v", concurrency, waiting, ok)
		}
	}
}
