package callback

import (
	"math/rand/v2"
	"time"
)

// window is how long a delivery is attempted, from the first attempt.
const window = 72 * time.Hour

// delays are the waits after the first attempt, the second and so on. The first few are for
// a host that is restarting, the last for one that is repaired after a weekend.
var delays = [...]time.Duration{
	5 * time.Second,
	30 * time.Second, //        35 s after the first attempt
	2 * time.Minute,  //    2 m 35 s
	5 * time.Minute,  //    7 m 35 s
	15 * time.Minute, //   22 m 35 s
	30 * time.Minute, //   52 m 35 s
	time.Hour,        //  1 h 52 m 35 s
	2 * time.Hour,    //  3 h 52 m 35 s
	4 * time.Hour,    //  7 h 52 m 35 s
	8 * time.Hour,    // 15 h 52 m 35 s
	12 * time.Hour,   // 27 h 52 m 35 s; this one repeats: 39 h, 51 h, 63 h, 72 h
}

// jitter is the fraction of a delay that is random, so that deliveries that failed together
// are not repeated together.
const jitter = 0.1

// Next is how long to wait after attempt number attempt (from 1) before the next one; ok is
// false if there is none. since is the time since the first attempt, retryAfter what the
// host asked for, 0 if it did not.
//
// The last attempt is made at the end of the 72 hours. It never comes earlier than the host
// asks, and not at all if that is after the end; a shorter request than the plan's delay
// does not speed it up.
func Next(attempt int, since, retryAfter time.Duration) (delay time.Duration, ok bool) {
	return next(attempt, since, retryAfter, rand.Float64())
}

// next is Next with the random number, from 0 to 1, as an argument.
func next(attempt int, since, retryAfter time.Duration, chance float64) (time.Duration, bool) {
	left := window - since
	if left <= 0 || retryAfter > left {
		return 0, false
	}
	planned := delays[min(max(attempt, 1), len(delays))-1]
	delay := time.Duration(float64(planned) * (1 - jitter + 2*jitter*chance))
	if asked := time.Duration(float64(retryAfter) * (1 + jitter*chance)); asked > delay {
		delay = asked
	}
	return min(delay, left), true
}
