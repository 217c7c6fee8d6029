package worker

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/polling"
	"github.com/extractq/extractq/store"
)

// submitSeq counts a submission that is about to be made, so that what it will show is as
// old as the others of its time. Where that fails it counts as the latest.
func (s *step) submitSeq() store.SubmitSeq {
	seq, err := s.acct.planner.NextSeq(s.ctx, s.rec.TypeLabel())
	if err != nil {
		s.w.log.WarnContext(s.ctx, "submission not counted", slog.String("account", s.acct.Name), slog.Any("error", err))
	}
	s.rec.SubmitSeq = seq
	return seq
}

// askAgain schedules the next poll of an extraction that is not final.
func (s *step) askAgain(because extraction.Because, c *store.Change) error {
	due, wait := s.nextPoll()
	return s.again(extraction.StepPoll, wait, because, c.PlannedAt(due))
}

// nextPoll is when the schedule asks next, and how long that is from now as scripts
// take it.
func (s *step) nextPoll() (due time.Time, wait time.Duration) {
	now := s.now()
	due = s.forecast.Due(s.rec.SubmittedAt, now, s.acct.Deadline)
	// The script rounds up to the whole second that due is already. Right before the
	// deadline that is less than half a second away, and no delay is no rounding: polls
	// would follow each other until then.
	return due, max(due.Sub(now)-time.Second/2, time.Millisecond)
}

// tooEarly reports that a poll was planned before something better was known: the
// account's lists are read since, or the vendor has turned out to be slower. It is
// planned anew then, without a call.
func (s *step) tooEarly() (due time.Time, early bool) {
	// One that runs before its time was pulled forward by hand, and one that is due at
	// another time than planned is not there because of a plan.
	if !s.rec.Due.Equal(s.rec.PlannedAt) || s.rec.Due.After(s.now()) {
		return time.Time{}, false
	}
	last := s.rec.NotYetAt
	if last.IsZero() {
		last = s.rec.SubmittedAt
	}
	due = s.forecast.Due(s.rec.SubmittedAt, last, s.acct.Deadline)
	return due, due.Sub(s.now()) > time.Second
}

// uncertainWindow is how long a submission whose answer was lost is looked for: until
// 999 of 1,000 have ended by then, and a minute; no longer than the account allows.
func (s *step) uncertainWindow() time.Duration {
	window := cmp.Or(s.forecast.UncertainWindow(), s.w.cfg.UncertainWindow)
	if most := s.acct.UncertainWindow; most > 0 {
		return min(window, most)
	}
	return window
}

// lookAgain is when to look again for something that was sent at some time and that
// may come until a limit.
func (s *step) lookAgain(since time.Time, limit time.Duration) time.Duration {
	now := s.now()
	return s.forecast.Due(since, now, limit).Sub(now)
}

// observe hands what this extraction showed of its vendor to the planner, if it is this step
// that has ended it with the answer.
func (s *step) observe(out extraction.Outcome) {
	if s.final == nil || s.rec.Attempts == 0 || s.rec.SubmittedAt.IsZero() {
		return // When an adopted one was submitted is unknown.
	}
	ctx, cancel := s.saving()
	defer cancel()
	now := s.now()
	s.acct.planner.Observe(ctx, s.forecast, polling.Ended{
		Label: s.rec.TypeLabel(), Seq: s.rec.SubmitSeq, SubmittedAt: s.rec.SubmittedAt, NotYetAt: s.rec.NotYetAt, SeenAt: now,
		FinishedAt: s.completedAt(out, now), Hooked: s.rec.Hooked, Listed: s.rec.Listed,
	})
}
