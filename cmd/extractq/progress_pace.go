package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
)

// paceWindow is how far back the rate looks: long enough for slow vendors,
// short enough to follow a change.
const paceWindow = 2 * time.Minute

// sample is how many had ended at a time.
type sample struct {
	at   time.Time
	done int
}

// pace measures how fast extractions end. It keeps one sample a second.
type pace struct {
	began   time.Time
	samples []sample
}

func newPace(now time.Time) pace {
	return pace{began: now, samples: []sample{{at: now}}}
}

// record counts n more that ended now.
func (p *pace) record(now time.Time, n int) {
	last := &p.samples[len(p.samples)-1]
	if len(p.samples) > 1 && now.Sub(last.at) < time.Second {
		last.done += n
		return
	}
	p.samples = append(p.samples, sample{at: now, done: last.done + n})
	for len(p.samples) > 2 && now.Sub(p.samples[1].at) >= paceWindow {
		p.samples = p.samples[1:]
	}
}

// perSecond is the rate over the window, 0 before the first has ended.
func (p *pace) perSecond(now time.Time) float64 {
	return ratePerSecond(p.samples, now, paceWindow)
}

// ratePerSecond is how many ended a second between the oldest sample in the
// window, or the last before it, and now.
func ratePerSecond(samples []sample, now time.Time, window time.Duration) float64 {
	if len(samples) < 2 {
		return 0
	}
	oldest := samples[0]
	for _, s := range samples[1:] {
		if now.Sub(s.at) < window {
			break
		}
		oldest = s
	}
	elapsed := now.Sub(oldest.at).Seconds()
	if elapsed <= 0 {
		return 0
	}
	return float64(samples[len(samples)-1].done-oldest.done) / elapsed
}

// remainingTime estimates how long the rest takes; 0 where nobody can tell.
func remainingTime(rest int, perSecond float64) time.Duration {
	if rest <= 0 || perSecond <= 0 {
		return 0
	}
	seconds := float64(rest) / perSecond
	if seconds > (1000 * time.Hour).Seconds() {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// tally is as what an extraction counts that has ended.
type tally int

const (
	countsWell tally = iota
	countsFailed
	// countsUnavailable is a SUCCESS whose stored result is damaged or gone. Nothing has
	// failed, and yet it is no success.
	countsUnavailable
)

func counted(e extraction.Extraction) tally {
	switch {
	case e.Status != extraction.StatusSuccess:
		return countsFailed
	case e.Error != nil:
		return countsUnavailable
	}
	return countsWell
}

// counts are how many extractions are in which state.
type counts struct{ total, done, failed, unavailable, inFlight int }

// finish counts one that has ended. A total that is known is never less than
// what was seen.
func (c *counts) finish(as tally) {
	c.done++
	switch as {
	case countsWell:
	case countsUnavailable:
		c.unavailable++
	case countsFailed:
		c.failed++
	}
	if c.total > 0 {
		c.total = max(c.total, c.done+c.inFlight)
	}
}

// line gives "37 of 100 done, 2 failed, 20 in flight, 3.1/s, about 20s left", or what
// holds it up in place of the estimate.
func (c counts) line(perSecond float64, holds string) string {
	parts := c.ended()
	if c.inFlight > 0 {
		parts = append(parts, fmt.Sprintf("%d in flight", c.inFlight))
	}
	if perSecond > 0 {
		parts = append(parts, rateText(perSecond))
	}
	if left := remainingTime(c.total-c.done, perSecond); holds != "" {
		parts = append(parts, holds)
	} else if left > 0 {
		parts = append(parts, "about "+roughly(max(left, time.Second))+" left")
	}
	return strings.Join(parts, ", ")
}

// last gives "100 of 100 done, 2 failed, in 34s".
func (c counts) last(elapsed time.Duration) string {
	parts := c.ended()
	if c.inFlight > 0 {
		parts = append(parts, fmt.Sprintf("%d still in flight", c.inFlight))
	}
	return strings.Join(append(parts, "in "+roughly(elapsed)), ", ")
}

// ended gives "37 of 100 done", "2 failed", "1 result unavailable".
func (c counts) ended() []string {
	parts := []string{fmt.Sprintf("%d of %d done", c.done, c.total)}
	if c.total == 0 {
		parts[0] = fmt.Sprintf("%d done", c.done)
	}
	if c.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", c.failed))
	}
	if c.unavailable > 0 {
		parts = append(parts, fmt.Sprintf("%d result unavailable", c.unavailable))
	}
	return parts
}

// rateText gives "120/s", "3.1/s", "12/min".
func rateText(perSecond float64) string {
	switch {
	case perSecond >= 10:
		return fmt.Sprintf("%.0f/s", perSecond)
	case perSecond >= 1:
		return fmt.Sprintf("%.1f/s", perSecond)
	case perSecond*60 >= 10:
		return fmt.Sprintf("%.0f/min", perSecond*60)
	}
	return fmt.Sprintf("%.1f/min", perSecond*60)
}

// roughly is a duration in the two units that matter: "800ms", "34s", "5m10s",
// "2h15m".
func roughly(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}
