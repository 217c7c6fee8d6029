package worker

import (
	"errors"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// A repetition of what may have arrived after all: the vendor was only late, or
// the answer to the submission was lost, or somebody canceled in the middle. The
// vendor is asked for the old one first, and only where it has none is the
// document submitted, and paid for, again.

// recheck looks for the old extraction at the vendor, once.
func (s *step) recheck() error {
	old, err := s.w.records.Get(s.ctx, s.acct.Name, s.rec.RetryOf)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.anew()
	case err != nil:
		return err
	case old.VendorID != "":
		return s.takeOver(old.VendorID)
	case old.SentAt.IsZero():
		return s.anew()
	}
	found, ok, err := s.search(old.ID, old.SentAt)
	if !ok || err != nil {
		return s.searchFails(err)
	}
	if found == "" {
		return s.anew()
	}
	return s.takeOver(found)
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
			return s.anew()
		case extraction.KindUnauthorized, extraction.KindRateLimited, extraction.KindQuota,
			extraction.KindTransient, extraction.KindUploadGone:
		}
		// While the vendor cannot be asked, nothing is decided.
		return s.trouble(err, limiter.OpPoll, new(store.Change).Polls(s.rec.Polls))
	}
	if out.AwaitsDocument || out.Status.Final() && out.Status != extraction.StatusSuccess {
		return s.anew()
	}
	// The deadline begins again: the old one is what ended the old extraction.
	s.rec.SubmittedAt = s.now()
	return s.settle(out, new(store.Change).Phase(store.PhaseNone).Vendor(vendorID).
		SubmittedAt(s.rec.SubmittedAt).SubmitErrors(0, time.Time{}))
}

// anew submits the document: the vendor has nothing of the old extraction.
func (s *step) anew() error {
	s.rec.VendorID = ""
	if err := s.mark(new(store.Change).Phase(store.PhaseNone).Polls(s.rec.Polls)); err != nil {
		return s.lost(err)
	}
	s.rec.Phase = store.PhaseNone
	return s.fresh()
}
