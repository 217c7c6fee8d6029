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

// errOvertaken keeps the last byte of a submission back: another attempt of the same
// extraction, which the record does not know of, is about to send, or has sent.
var errOvertaken = errors.New("the document store has another submission of this extraction")

// witness tells the document store that the last byte of a submission goes, and what is
// known of it.
func (s *step) witness(sent store.Sent) error {
	sent.Token, sent.Attempt, sent.At = s.fence.Token, s.rec.Attempts, extraction.Time{Time: s.rec.SentAt}
	if sent.At.IsZero() {
		sent.At.Time = s.now()
	}
	s.claim = &sent // An attempt that fails may have written it all the same.
	ctx, cancel := s.saving()
	defer cancel()
	first, err := s.w.cfg.Blobs.ClaimSent(ctx, s.rec.ID, sent)
	if err != nil || first.Token == sent.Token {
		return err
	}
	s.claim = nil
	if sent.VendorID == "" || first.VendorID != sent.VendorID { // To the same id a document may go twice.
		return errOvertaken
	}
	return nil
}

// witnessed tells it what the vendor calls a submission in one call. Without it, the
// vendor's lists would have to be searched.
func (s *step) witnessed(vendorID string) error {
	if s.claim == nil {
		return nil
	}
	s.claim.VendorID = vendorID
	ctx, cancel := s.saving()
	defer cancel()
	return s.w.cfg.Blobs.PutSent(ctx, s.rec.ID, *s.claim)
}

// unwitness takes back what this step has told it, where nothing was submitted.
func (s *step) unwitness() error {
	if s.claim == nil {
		return nil
	}
	ctx, cancel := s.saving()
	defer cancel()
	return s.w.cfg.Blobs.DropSent(ctx, s.rec.ID, *s.claim)
}

// unwitnessed takes back what an earlier step has told it of the submission that the record
// has, and that came to nothing. What it says of another one stays.
func (s *step) unwitnessed() error {
	ctx, cancel := s.saving()
	defer cancel()
	sent, err := s.w.cfg.Blobs.Sent(ctx, s.rec.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case sent.VendorID != s.rec.VendorID, sent.VendorID == "" && sent.At.Millis() != extraction.Time{Time: s.rec.SentAt}.Millis():
		return nil
	}
	return s.w.cfg.Blobs.DropSent(ctx, s.rec.ID, sent)
}

// overtaken gives way to the submission of another attempt, and goes on with that.
func (s *step) overtaken() error {
	s.rec.Phase = store.PhaseNone // What the record says is of this attempt.
	done, err := s.forgotten()
	if done || err != nil {
		return err
	}
	return s.again(extraction.StepSubmit, 0, extraction.BecauseRetry, notSent()) // That one came to nothing.
}

// forgotten goes on with a submission that the record has forgotten: the vendor is asked
// for it, by its id or by the token in the document's name, before another is begun.
func (s *step) forgotten() (bool, error) {
	sent, err := s.w.cfg.Blobs.Sent(s.ctx, s.rec.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		c := s.notBegun() // It keeps no slot while it waits.
		if c == nil {
			c = new(store.Change)
		}
		return true, s.storeFails(err, extraction.StepSubmit, c)
	case sent.VendorID != "" && sent.VendorID == s.rec.VendorID,
		sent.VendorID == "" && (s.rec.Phase == store.PhaseSent || s.rec.Phase == store.PhaseUncertain):
		return false, nil // The record goes on with it.
	}
	s.w.log.ErrorContext(s.ctx, "the record lacks a submission that the document store has: the vendor is asked for it",
		slog.String("extraction_id", s.rec.ID), slog.String("account", s.acct.Name),
		slog.Int("attempt", sent.Attempt), slog.String("vendor_id", sent.VendorID))
	c := new(store.Change).Attempts(max(sent.Attempt, s.rec.Attempts))
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
