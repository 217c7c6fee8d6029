package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
)

// paceWindow is the time the rate is measured over: long enough for slow vendors, short
// enough to follow a change.
const paceWindow = 2 * time.Minute

// sample is the number of ended extractions at one time.
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

// remainingTime estimates how long the rest takes; 0 if that is not known.
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

// moving reports whether the rate says when the rest will have ended: something ended lately,
// as often as the rate lets expect.
func (p *pace) moving(now time.Time, perSecond float64) bool {
	const leastGap, gaps = 15 * time.Second, 5
	return now.Sub(p.samples[len(p.samples)-1].at) <= max(leastGap, time.Duration(gaps/perSecond*float64(time.Second)))
}

// Tally is how an ended extraction is counted.
type Tally struct {
	// Success is whether the vendor has a result.
	Success bool
	// Code is why there is none here; empty for a success whose result is.
	Code extraction.Code
}

// TallyOf says how an ended extraction is counted.
func TallyOf(e extraction.Extraction) Tally {
	t := Tally{Success: e.Status == extraction.StatusSuccess}
	if e.Error != nil {
		t.Code = e.Error.Code
	}
	return t
}

// counts are the numbers of extractions by state.
type counts struct {
	total, done, inFlight int
	// failed are those without a result, and unavailable successes whose stored result is
	// damaged or gone.
	failed, unavailable int
	codes               map[extraction.Code]int // Of those that failed.
}

// finish counts one that has ended. A known total is never less than what was counted.
func (c *counts) finish(as Tally) {
	c.done++
	switch {
	case !as.Success:
		c.failed++
		if c.codes == nil {
			c.codes = map[extraction.Code]int{}
		}
		c.codes[as.Code]++
	case as.Code != "":
		c.unavailable++
	}
	if c.total > 0 {
		c.total = max(c.total, c.done+c.inFlight)
	}
}

// line gives "37 of 100 done, 2 failed, 20 in flight, 3.1/s, about 20s left". A rate of 0 leaves
// the last two out.
func (c counts) line(perSecond float64) string {
	parts := c.ended()
	if c.inFlight > 0 {
		parts = append(parts, fmt.Sprintf("%d in flight", c.inFlight))
	}
	if perSecond > 0 {
		parts = append(parts, Rate(perSecond))
	}
	if left := remainingTime(c.total-c.done, perSecond); left > 0 {
		parts = append(parts, "about "+Duration(max(left, time.Second))+" left")
	}
	return strings.Join(parts, ", ")
}

// last gives "60 of 60 done, 47 succeeded, 13 failed (10 vendor_failed, 3 expired), in 1m58s".
// left says what became of those that have not ended.
func (c counts) last(elapsed time.Duration, left string) string {
	parts := c.ended()
	if c.failed > 0 {
		var codes []string
		for code, n := range c.codes {
			codes = append(codes, fmt.Sprintf("%d %s", n, code))
		}
		slices.SortFunc(codes, func(a, b string) int { return cmp.Or(-cmp.Compare(leading(a), leading(b)), cmp.Compare(a, b)) })
		succeeded := c.done - c.failed - c.unavailable
		parts = append([]string{parts[0], fmt.Sprintf("%d succeeded", succeeded), parts[1] + " (" + strings.Join(codes, ", ") + ")"}, parts[2:]...)
	}
	switch {
	case left != "":
		parts = append(parts, left)
	case c.inFlight > 0:
		parts = append(parts, fmt.Sprintf("%d still in flight", c.inFlight))
	}
	return strings.Join(append(parts, "in "+Duration(elapsed)), ", ")
}

// leading is the number that a text begins with.
func leading(s string) int {
	n, _ := strconv.Atoi(s[:strings.IndexByte(s, ' ')])
	return n
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
