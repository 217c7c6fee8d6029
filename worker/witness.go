package worker

import (
	"errors"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// Redis may go back in time: after a failover to a replica that lags, a second that was
// not on disk, an older snapshot. A record may then say that nothing was sent of what has
// been paid for. The document store is the second witness: it is told before the last
// byte of a submission goes, after the record was.

// witness tells the document store that the last byte of a submission goes, and what is
// known of it.
func (s *step) witness(sent store.Sent) error {
	sent.Attempt, sent.At = s.rec.Attempts, extraction.Time{Time: s.now()}
	ctx, cancel := s.saving()
	defer cancel()
	return s.w.cfg.Blobs.PutSent(ctx, s.rec.ID, sent)
}

// witnessed tells it what the vendor calls a submission in one call. Without it, the
// vendor's lists would have to be searched.
func (s *step) witnessed(vendorID string) {
	if err := s.witness(store.Sent{VendorID: vendorID}); err != nil {
		s.w.log.WarnContext(s.ctx, "vendor id not in the document store", slog.String("extraction_id", s.rec.ID), slog.Any("error", err))
	}
}

// forgotten goes on with a submission that the record has forgotten: the vendor is asked
// for it, by its id or by the token in the document's name, before another is begun.
func (s *step) forgotten() (bool, error) {
	sent, err := s.w.cfg.Blobs.Sent(s.ctx, s.rec.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return true, s.storeFails(err, extraction.StepSubmit, new(store.Change))
	case sent.VendorID != "" && sent.VendorID == s.rec.VendorID,
		sent.Attempt < s.rec.Attempts, sent.Attempt == s.rec.Attempts && s.rec.Phase != store.PhaseSending:
		return false, nil // The record knows what came of it.
	}
	s.w.log.ErrorContext(s.ctx, "Redis has gone back in time: the record has forgotten a submission, which the vendor is asked for",
		slog.String("extraction_id", s.rec.ID), slog.String("account", s.acct.Name),
		slog.Int("attempt", sent.Attempt), slog.String("vendor_id", sent.VendorID))
	c := new(store.Change).Attempts(sent.Attempt)
	next := extraction.StepSubmit
	switch {
	case sent.VendorID == "":
		s.rec.SentAt = sent.At.Time
		until := s.now().Add(s.uncertainWindow())
		c.Phase(store.PhaseUncertain).SentAt(sent.At.Time).Uncertain(until).
			Trouble(s.searching("Redis has lost what came of the submission", until))
	case sent.UploadExpires.IsZero():
		c.Phase(store.PhaseNone).SubmittedAt(sent.At.Time)
		next = extraction.StepPoll
	default:
		c.Phase(store.PhaseOpened).Upload("", sent.UploadExpires.Time).UploadGone(false).WaitingSince(time.Time{})
	}
	if s.rec.VendorID != "" { // Of an earlier attempt, which came to nothing.
		if err := s.mark(new(store.Change).Vendor("")); err != nil {
			return true, s.lost(err)
		}
	}
	if sent.VendorID != "" {
		c.Vendor(sent.VendorID)
	}
	return true, s.again(next, 0, extraction.BecauseRetry, c)
}
