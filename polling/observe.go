package polling

import (
	"context"
	"time"

	"github.com/extractq/extractq/polling/plan"
	"github.com/extractq/extractq/store"
)

// Ended is what the step that ended an extraction knows of its time at the vendor.
type Ended struct {
	// Label is the document type's.
	Label string
	// Seq is the submission's sequence number.
	Seq store.SubmitSeq
	// SubmittedAt is when it was submitted, NotYetAt when the vendor last said "not yet"
	// (zero: never), and SeenAt when the answer came.
	SubmittedAt, NotYetAt, SeenAt time.Time
	// FinishedAt is when the vendor says that it finished; zero where it says nothing.
	FinishedAt time.Time
	// Hooked says that a webhook reported the end, Listed that a ready list did.
	Hooked, Listed bool
}

// age is how old it was when it finished, by the vendor's word or as it was seen.
func (e Ended) age() time.Duration {
	if e.FinishedAt.IsZero() {
		return e.SeenAt.Sub(e.SubmittedAt)
	}
	return e.FinishedAt.Sub(e.SubmittedAt)
}

// middle is when it finished as far as is known: in the middle of the time in which it
// must have been where the vendor does not say.
func (e Ended) middle() time.Time {
	if !e.FinishedAt.IsZero() {
		return e.FinishedAt
	}
	last := e.NotYetAt
	if last.IsZero() {
		last = e.SubmittedAt
	}
	return last.Add(e.SeenAt.Sub(last) / 2)
}

// Observe learns from the end of an extraction that was polled with a forecast. It is
// written with others that end within a second, or by Flush.
func (p *Planner) Observe(ctx context.Context, f Forecast, e Ended) {
	o := f.observation(e, p.cfg.HookExpected)
	if o.Probation && o.List == NotifiedUnknown {
		o.List = p.missedOnProbation(ctx, f, e)
	}
	p.gather(ctx, e.Label, o)
}

// observation is what the end shows: when it finished, where the vendor says that, or else
// between which two answers; and whether a notification came that was expected.
func (f Forecast) observation(e Ended, hookExpected bool) Observation {
	bins := plan.Histogram{}
	if !e.FinishedAt.IsZero() {
		bins.Add(e.age().Seconds(), 1)
	} else {
		from := 0.0
		if !e.NotYetAt.IsZero() {
			from = e.NotYetAt.Sub(e.SubmittedAt).Seconds()
		}
		bins.AddBetween(from, e.age().Seconds(), 1, f.law)
	}
	return Observation{
		Bins: bins, Seq: e.Seq, Probation: f.probation > 0,
		Hook: e.notified(e.Hooked, hookExpected),
		List: e.notified(e.Listed, e.age() < f.listed && !e.Hooked),
	}
}

// notifiedWithin is how soon after the end a webhook or a list may still tell of it: a poll
// that comes first says nothing about whether that would have happened.
const notifiedWithin = 3 * time.Second

// notified says whether a notification came, where one was expected.
func (e Ended) notified(was, expected bool) Notified {
	switch {
	case was:
		return NotifiedYes
	case !expected, !e.FinishedAt.IsZero() && e.SeenAt.Sub(e.FinishedAt) < notifiedWithin:
		return NotifiedUnknown
	}
	return NotifiedNo
}

// missedOnProbation says whether the lists were read after an extraction had ended and
// before it was polled: it was not on them then.
func (p *Planner) missedOnProbation(ctx context.Context, f Forecast, e Ended) Notified {
	l, err := p.store.ReadyList(ctx, p.cfg.Account)
	if err != nil || l.ReadAt.Before(e.middle().Add(notifiedWithin)) || l.ReadAt.Sub(e.SubmittedAt) > f.probation {
		return NotifiedUnknown
	}
	return NotifiedNo
}
