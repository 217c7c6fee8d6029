package worker

import (
	"errors"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// A repetition of what may have arrived after all: the vendor was only late, or
// the answer to the submission was lost, or a user canceled in the middle. The
// vendor is asked for the old one first, and only where it surely has none is the
// document submitted, and paid for, again. What one answer says is not sure: the
// old submission may be on its way still.

// recheck looks for the old extraction at the vendor, once.
func (s *step) recheck() error {
	if s.rec.VendorID != "" {
		return s.takeOver(s.rec.VendorID)
	}
	if done, err := s.foundMeanwhile(); done || err != nil {
		return err
	}
	window := s.uncertainWindow()
	left, err := s.windowLeft(s.rec.SentAt.Add(window)) // The list is of what has finished.
	if err != nil {
		return err
	}
	seen, ok, err := s.search(s.rec.Sought, s.rec.SentAt)
	if !ok || err != nil {
		return s.searchFails(err)
	}
	if seen.vendorID != "" {
		return s.takeOver(seen.vendorID)
	}
	// Another search may have come across it since, and it is listed as known.
	if done, err := s.foundMeanwhile(); done || err != nil {
		return err
	}
	switch {
	case s.undecided(seen, left):
		return s.again(extraction.StepSubmit, s.lookAgain(s.rec.SentAt, window),
			extraction.BecauseRetry, new(store.Change).Polls(s.rec.Polls))
	case !seen.whole:
		return s.unseen()
	}
	return s.anew()
}

// foundMeanwhile goes on with the vendor id of the old extraction: its record has been
// given one after its end, by its own late answer or by the search for another; or
// another search has noted one under its token after the record was deleted.
func (s *step) foundMeanwhile() (bool, error) {
	old, err := s.w.records.Get(s.ctx, s.acct.Name, s.rec.Sought)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	found := old.VendorID
	if found == "" {
		if found, err = s.w.records.Stray(s.ctx, s.acct.Name, s.rec.Sought); err != nil || found == "" {
			return false, err
		}
	}
	return true, s.takeOver(found)
}

// takeOver asks for a vendor id and goes on with it, unless it came to nothing.
func (s *step) takeOver(vendorID string) error {
	ok, err := s.admit(limiter.OpPoll)
	if !ok || err != nil {
		return err
	}
	s.rec.VendorID = vendorID
	out, err := s.ask()
	if err != nil {
		switch extraction.KindOf(err) {
		case extraction.KindNotFound, extraction.KindRejected:
			return s.unknown(vendorID)
		case extraction.KindUnauthorized, extraction.KindForbidden, extraction.KindRateLimited,
			extraction.KindQuota, extraction.KindTransient, extraction.KindUploadGone, extraction.KindTooLarge:
		}
		// While the vendor cannot be asked, nothing is decided.
		return s.trouble(err, limiter.OpPoll, new(store.Change).Polls(s.rec.Polls))
	}
	switch {
	case out.AwaitsDocument:
		if seen, err := s.seenWaiting(); !seen || err != nil {
			return err
		}
		return s.startOver()
	case out.Status.Final() && out.Status != extraction.StatusSuccess:
		return s.anew()
	}
	// The deadline begins again: the old one is what ended the old extraction.
	s.rec.SubmittedAt = s.now()
	return s.settle(out, new(store.Change).Phase(store.PhaseNone).Vendor(vendorID).
		SubmittedAt(s.rec.SubmittedAt).SubmitErrors(0, time.Time{}).Sought("").SentAt(time.Time{}).
		Upload("", time.Time{}).WaitingSince(time.Time{}))
}

// unknown acts on a vendor that does not know the old extraction, which is "not
// yet" until it lasts.
func (s *step) unknown(vendorID string) error {
	now := s.now()
	since := s.rec.MissingSince
	if !since.IsZero() && now.Sub(since) >= missingLimit {
		return s.startOver()
	}
	c := new(store.Change).Vendor(vendorID).Polls(s.rec.Polls)
	if since.IsZero() {
		since = now
		c.MissingSince(now)
	}
	return s.again(extraction.StepSubmit, s.lookAgain(since, missingLimit), extraction.BecauseRetry, c)
}

// anew submits the document: the vendor has nothing of what came before, and can
// no longer get it. Where Redis went back in time, its result may be stored already.
func (s *step) anew() error {
	if kept, err := s.hadSucceeded(new(store.Change).Polls(s.rec.Polls)); kept || err != nil {
		return err
	}
	if err := s.unwitnessed(); err != nil {
		return s.storeFails(err, extraction.StepSubmit, new(store.Change).Polls(s.rec.Polls))
	}
	forget := new(store.Change).Phase(store.PhaseNone).Vendor("").VendorStatus("").Polls(s.rec.Polls).
		Sought("").SentAt(time.Time{}).MissingSince(time.Time{}).
		Upload("", time.Time{}).UploadGone(false).WaitingSince(time.Time{})
	if err := s.mark(forget); err != nil {
		return s.lost(err)
	}
	s.rec.Phase, s.rec.VendorID, s.rec.Sought, s.rec.SentAt = store.PhaseNone, "", "", time.Time{}
	s.rec.VendorStatus = ""
	return s.fresh()
}
