package bench

import (
	"math/rand/v2"
	"testing"
	"time"
)

const (
	week = 7 * 24 * time.Hour
	// weekDeadline is the default of an account.
	weekDeadline = time.Hour
	// mostPolls is how often a document is asked for that finishes within minutes, at most,
	// mostPollsToDeadline one that never does: every 5 s it is 720 times.
	mostPolls, mostPollsToDeadline = 100, 200
)

// aWeek spreads documents over a week: half of them come at any time, the others in a burst
// each morning. On the fourth day the vendor takes four times as long, and two in a thousand
// it never finishes.
func aWeek(seed uint64) func([]job) {
	return func(jobs []job) {
		rng := rand.New(rand.NewPCG(seed, 0x7765656b))
		for i := range jobs {
			j := &jobs[i]
			j.arrives = time.Duration(rng.Int64N(int64(week)))
			if i%2 == 1 {
				j.arrives = j.arrives.Truncate(24*time.Hour) + 8*time.Hour + time.Duration(rng.Int64N(int64(10*time.Minute)))
			}
			if j.arrives/(24*time.Hour) == 3 {
				j.latency *= 4
			}
			if rng.IntN(500) == 0 {
				j.latency = 10 * week
			}
		}
	}
}

// A week of 100,000 documents, and one of 20,000 with another seed: each ends by its
// deadline, none is asked for more often than every second or less often than every five
// minutes, and all of it takes fewer requests than a fixed interval for about the same delay.
func TestWeek(t *testing.T) {
	t.Parallel()
	law := typical
	for seed, n := range map[uint64]int{1: 100_000, rand.Uint64(): 20_000} {
		last, found, stuck := map[*job]time.Duration{}, int32(0), int32(0)
		c := Config{
			Law: law, Documents: n, Seed: seed, deadline: weekDeadline, change: aWeek(seed),
			// As old as a schedule may be here: to make one takes 0.2 ms, and a week has
			// 300,000 times two seconds.
			keep: 5 * time.Minute,
		}
		c.asked = func(j *job, now time.Duration) {
			before, again := last[j]
			if !again {
				before = j.submitted
			}
			gap, elapsed := now-before, now-j.submitted
			atDeadline := elapsed >= weekDeadline
			switch {
			case j.over:
				t.Errorf("asked for at %v though it is over", now)
			case gap < time.Second && !atDeadline, gap <= 0:
				t.Errorf("asked for again after %v, %v after the submission", gap, elapsed)
			case gap > 5*time.Minute+time.Second:
				t.Errorf("not asked for in %v, %v after the submission", gap, elapsed)
			case elapsed >= weekDeadline+time.Second:
				t.Errorf("asked for %v after the submission", elapsed)
			case now%time.Second != 0:
				t.Errorf("asked for at %v, want a whole second", now)
			}
			last[j] = now
			if j.finish <= now {
				found = max(found, j.polls)
			} else if atDeadline {
				stuck = max(stuck, j.polls)
			}
		}
		ours := carry(c, policies(c)[0])
		for i := range ours.jobs {
			j := &ours.jobs[i]
			if !j.over || last[j] == 0 {
				t.Fatalf("document %d has not ended", i)
			}
			if inTime, got := j.finish <= j.submitted+weekDeadline, j.finish <= last[j]; inTime && !got {
				t.Errorf("document %d finished %v after its submission and was given up", i, j.finish-j.submitted)
			}
		}
		report := Report{Price: 1, Best: BestCost(law, time.Second)}
		got := ours.outcome(report)
		fixed := c
		fixed.asked = nil
		base := carry(fixed, policy{name: FixedPolicy, next: fixedNext}).outcome(report)
		t.Logf("seed %d: %d ended in time and %d at the deadline; p95 %.2f s, %.2f requests each, at most %d polls and %d of those that never finish; fixed 5 s: %.2f s and %.2f requests",
			seed, got.Succeeded, got.Lost, got.Delay.P95, got.Each, found, stuck, base.Delay.P95, base.Each)
		if got.Succeeded+got.Lost != n || got.Succeeded != base.Succeeded {
			t.Errorf("seed %d: %d and %d of %d, with a fixed interval %d", seed, got.Succeeded, got.Lost, n, base.Succeeded)
		}
		if found > mostPolls || stuck > mostPollsToDeadline {
			t.Errorf("seed %d: %d polls of one document, %d of one that never finishes; want at most %d and %d",
				seed, found, stuck, mostPolls, mostPollsToDeadline)
		}
		if got.J >= base.J || got.Each >= base.Each || got.Delay.P95 > 2*base.Delay.P95 {
			t.Errorf("seed %d: J %.2f, %.2f requests, p95 %.2f s; a fixed interval has %.2f, %.2f, %.2f s",
				seed, got.J, got.Each, got.Delay.P95, base.J, base.Each, base.Delay.P95)
		}
	}
}
