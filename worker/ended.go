package worker

import (
	"time"

	"github.com/extractq/extractq/extraction"
)

// End is an extraction that this worker has ended.
type End struct {
	Account string
	Status  extraction.Status
	// Code is that of its error; empty where there is none.
	Code extraction.Code
	// Duration is the time since it was accepted, Polls how often the vendor was asked.
	Duration time.Duration
	Polls    int
	// Delay is how long the vendor's own end was unknown, as far as that is known;
	// negative where it is not, or where the vendor has not ended it.
	Delay time.Duration
}

// unended is the delay where the vendor has not ended it, or it is unknown.
const unended = time.Duration(-1)

// countEnd tells of the extraction that this step has ended.
func (s *step) countEnd() {
	if s.final == nil || s.w.cfg.Ended == nil {
		return
	}
	s.w.cfg.Ended(End{
		Account: s.acct.Name, Status: s.final.Status, Code: s.final.ErrorCode,
		Duration: max(0, s.now().Sub(s.rec.CreatedAt)), Polls: s.rec.Polls, Delay: s.delay,
	})
}

// found notes that the vendor's answer is the end, and how long it went unseen: since
// the vendor's own time of it, or else half the time since it was not there yet.
func (s *step) found(out extraction.Outcome) {
	now := s.now()
	last := s.rec.NotYetAt
	if last.IsZero() && s.rec.Attempts > 0 { // When an adopted one was submitted is unknown.
		last = s.rec.SubmittedAt
	}
	switch at := s.completedAt(out, now); {
	case !at.IsZero():
		s.delay = now.Sub(at)
	case !last.IsZero():
		s.delay = max(0, now.Sub(last)/2)
	}
}

// completedAt is when the vendor says that it has finished; zero where it says nothing,
// or nonsense.
func (s *step) completedAt(out extraction.Outcome, now time.Time) time.Time {
	if at := out.CompletedAt; !at.After(now) && at.After(s.rec.SubmittedAt) {
		return at
	}
	return time.Time{}
}
