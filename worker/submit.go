package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// submit hands one document to the vendor, or finds out what became of an
// earlier attempt to.
func (w *Worker) submit(ctx context.Context, p queue.Payload) (*queue.Outcome, error) {
	s, err := w.begin(ctx, p, extraction.StepSubmit)
	if err != nil || s == nil {
		return nil, err
	}
	defer s.close(ctx)
	err = s.submit()
	return s.final, err
}

func (s *step) submit() error {
	if s.otherProvider() {
		return s.waitForProvider()
	}
	if s.rec.VendorID != "" && s.rec.Phase != store.PhaseOpened && s.rec.Phase != store.PhaseRecheck {
		return s.follow()
	}
	if s.rec.Phase == store.PhaseSent || s.rec.Phase == store.PhaseUncertain {
		// The document store may have the id that the record does not.
		if done, err := s.forgotten(); done || err != nil {
			return err
		}
	}
	switch s.rec.Phase {
	case store.PhaseOpened:
		return s.resumeUpload()
	case store.PhaseSent:
		// The worker before died, or lost its lease, with the answer open.
		return s.uncertain(nil)
	case store.PhaseUncertain:
		return s.lookUp()
	case store.PhaseRecheck:
		return s.recheck()
	case store.PhaseNone, store.PhaseSending:
	}
	return s.fresh()
}

// follow asks for what the vendor has already: while the record holds a vendor id, no
// other is asked for.
func (s *step) follow() error {
	c := new(store.Change).Phase(store.PhaseNone)
	if s.rec.SubmittedAt.IsZero() {
		c.SubmittedAt(s.now())
	}
	return s.again(extraction.StepPoll, 0, extraction.BecauseScheduled, c)
}

// fresh begins a submission of which nothing has reached the vendor.
func (s *step) fresh() error {
	if s.w.cfg.Blobs.RedisLost() { // What it forgot may be at the vendor already.
		return s.redisLost()
	}
	if s.rec.Document.URL != "" && !s.acct.Provider.Traits().FetchesURL {
		return s.fail(extraction.StatusError, extraction.NewFailure(extraction.CodeDocumentUnavailable,
			"this provider does not fetch documents by URL: submit the document itself", nil), &store.Change{})
	}
	if up, ok := s.acct.Provider.(extraction.Uploader); ok && s.rec.Document.URL == "" {
		return s.open(up)
	}
	return s.send()
}

// redisLost puts a submission off until Redis has its data again, or an operator says that
// they are lost for good.
func (s *step) redisLost() error {
	c := s.notBegun()
	if c == nil {
		c = new(store.Change)
	}
	return s.again(extraction.StepSubmit, redisLostDelay, extraction.BecauseStore, c.Trouble(extraction.Trouble{
		Code: extraction.CodeStoreUnavailable, Message: store.ErrRedisLost.Error(), At: extraction.Time{Time: s.now()},
	}))
}

// redisLostDelay is how soon a submission looks again at a Redis that has lost its data.
const redisLostDelay = 10 * time.Second

// send submits in one call. Before the last byte goes, the journal says so: from
// then on a lost answer leaves the submission uncertain, and until then trying
// again is free.
func (s *step) send() error {
	if ok, err := s.admitSubmission(); !ok || err != nil {
		return err
	}
	byURL := s.rec.Document.URL != ""
	if byURL {
		s.rec.SentAt = s.now()
		if err := s.mark(new(store.Change).Phase(store.PhaseSent).SentAt(s.rec.SentAt)); err != nil {
			return s.lost(err)
		}
		if err := s.journal(intake.Begun{SentAt: s.rec.SentAt}); err != nil {
			return s.storeFails(err, extraction.StepSubmit, notSent())
		}
		if err := s.witness(store.Sent{}); errors.Is(err, errOvertaken) {
			return s.overtaken()
		} else if err != nil {
			c := notSent()
			if s.unwitness() != nil { // The record keeps what the document store has.
				c = new(store.Change)
			}
			return s.storeFails(err, extraction.StepSubmit, c)
		}
	}
	sub := s.submission(extraction.TokenName(s.rec.Document.Name, s.rec.ID), func() error {
		// It runs before settleBody returns, and therefore before SentAt is read.
		s.rec.SentAt = s.now()
		if err := s.journal(intake.Begun{SentAt: s.rec.SentAt}); err != nil {
			return err
		}
		if s.redisErr = s.mark(new(store.Change).Phase(store.PhaseSent).SentAt(s.rec.SentAt)); s.redisErr != nil {
			return s.redisErr
		}
		return s.witness(store.Sent{})
	})
	ctx, cancel := s.calling()
	defer cancel()
	receipt, err := s.acct.Provider.Submit(ctx, sub)
	letGo := s.settleBody() || byURL
	if err != nil {
		var e *extraction.Error
		switch {
		case errors.Is(s.bodyErr, errOvertaken):
			return s.overtaken()
		case !letGo || errors.As(err, &e) && !e.Sent:
			if err := s.unwitness(); err != nil { // The record keeps what the document store has.
				return s.storeFails(err, extraction.StepSubmit, new(store.Change))
			}
			s.noted(intake.Begun{})
			return s.trouble(err, limiter.OpSubmit, notSent())
		}
		return s.uncertain(err)
	}
	if receipt.VendorID == "" { // A provider should have made this an error.
		return s.uncertain(errors.New("the vendor gave no id"))
	}
	return s.submitted(receipt.VendorID, receipt.VendorStatus)
}

// admitSubmission is admit for a submission, which is counted then. Where it was admitted with
// the lease, its place is another one's already, and the journal has it with its next entry.
func (s *step) admitSubmission() (bool, error) {
	first := s.admitted
	ok, err := s.admit(limiter.OpSubmit)
	if !ok || err != nil {
		return false, err
	}
	if done, err := s.forgotten(); done || err != nil {
		return false, err
	}
	s.rec.Attempts++
	s.pending = new(store.Change).Attempts(s.rec.Attempts).SubmitSeq(s.submitSeq())
	if first {
		return true, nil
	}
	if err := s.mark(new(store.Change).Phase(store.PhaseSending)); err != nil {
		return false, s.lost(err)
	}
	s.acct.roomMade()
	return true, nil
}

// notSent takes back what the journal says of a submission that surely came to
// nothing: a later one that is lost is not to be dated by it.
func notSent() *store.Change {
	return new(store.Change).Phase(store.PhaseNone).SentAt(time.Time{})
}

// submitted notes the vendor's id and plans the first poll.
func (s *step) submitted(vendorID, vendorStatus string) error {
	defer s.worked()
	s.noted(intake.Begun{VendorID: vendorID, SubmittedAt: s.now()})
	s.rec.VendorStatus = vendorStatus // The poll's task shows it.
	s.rec.SubmittedAt = s.now()
	c := new(store.Change).TroubleOver(s.now()).
		Phase(store.PhaseNone).Vendor(vendorID).VendorStatus(vendorStatus).SubmittedAt(s.rec.SubmittedAt).
		Upload("", time.Time{}).UploadGone(false).WaitingSince(time.Time{}).
		SubmitErrors(0, time.Time{}).Uncertain(time.Time{})
	s.works(limiter.OpSubmit, c)
	if s.rec.VendorID == vendorID {
		return s.askAgain(extraction.BecauseScheduled, c)
	}
	err := s.save(vendorID, c)
	if s.outcome != outcomeLost { // It may have been erased, with what the store had of it.
		if err := s.witnessed(vendorID); err != nil {
			s.w.log.WarnContext(s.ctx, "vendor id not in the document store", slog.String("extraction_id", s.rec.ID), slog.Any("error", err))
		}
	}
	return err
}
