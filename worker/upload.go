package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// A submission in two steps. The id of the first is journalled before the
// second, and it is not abandoned while its upload URL works: a late upload then
// hits the same id, and nothing is submitted twice.

const (
	// rePutAfter is how long the vendor must have been seen waiting for the
	// document before it is sent again.
	rePutAfter = 5 * time.Second
	// uploadMargin is how long an upload URL must still last to be used.
	uploadMargin = time.Minute
)

// open asks for an upload URL and sends the document there.
func (s *step) open(up extraction.Uploader) error {
	if ok, err := s.admitSubmission(); !ok || err != nil {
		return err
	}
	ctx, cancel := s.calling()
	defer cancel()
	upload, err := up.Open(ctx, s.submission(s.rec.Document.Name, nil))
	if err == nil && upload.VendorID == "" { // A provider should have made this an error.
		err = &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Err: errors.New("the vendor gave no id")}
	}
	if err != nil {
		return s.trouble(err, limiter.OpSubmit, new(store.Change).Phase(store.PhaseNone))
	}
	if err := s.journal(intake.Begun{
		VendorID: upload.VendorID, UploadURL: upload.URL, UploadExpires: upload.ExpiresAt,
	}); err != nil { // An id that gets no document is free.
		return s.storeFails(err, extraction.StepSubmit, new(store.Change).Phase(store.PhaseNone))
	}
	opened := new(store.Change).Phase(store.PhaseOpened).Vendor(upload.VendorID).
		VendorStatus(upload.VendorStatus).Upload(upload.URL, upload.ExpiresAt)
	if err := s.mark(opened); err != nil {
		return s.lost(err)
	}
	s.rec.VendorID, s.rec.VendorStatus = upload.VendorID, upload.VendorStatus
	return s.put(up, upload)
}

// put sends the document to an opened submission. Whatever goes wrong, the next
// attempt asks the vendor first whether the document has arrived.
func (s *step) put(up extraction.Uploader, upload extraction.Upload) error {
	sub := s.submission(s.rec.Document.Name, func() error {
		return s.witness(store.Sent{VendorID: upload.VendorID, UploadExpires: extraction.Time{Time: upload.ExpiresAt}})
	})
	ctx, cancel := s.calling()
	defer cancel()
	err := up.Put(ctx, upload, sub)
	s.settleBody()
	if err == nil {
		return s.submitted(upload.VendorID, upload.VendorStatus)
	}
	if errors.Is(s.bodyErr, errOvertaken) {
		return s.overtaken()
	}
	c := new(store.Change)
	if extraction.KindOf(err) == extraction.KindUploadGone {
		c.UploadGone(true)
	}
	return s.trouble(err, limiter.OpSubmit, c)
}

// resumeUpload finds out whether the document of an opened submission arrived,
// and sends it again only when it surely did not.
func (s *step) resumeUpload() error {
	ok, err := s.admit(limiter.OpPoll)
	if !ok || err != nil {
		return err
	}
	if done, err := s.forgotten(); done || err != nil {
		return err
	}
	out, err := s.ask()
	waits := err == nil && out.AwaitsDocument || err != nil && extraction.KindOf(err) == extraction.KindNotFound
	switch {
	case err != nil && !waits:
		return s.trouble(err, limiter.OpPoll, new(store.Change).Polls(s.rec.Polls))
	case !waits:
		s.rec.SubmittedAt = s.now()
		s.noted(intake.Begun{VendorID: s.rec.VendorID, SubmittedAt: s.rec.SubmittedAt})
		return s.settle(out, new(store.Change).Phase(store.PhaseNone).SubmittedAt(s.rec.SubmittedAt).
			Upload("", time.Time{}).UploadGone(false).WaitingSince(time.Time{}).SubmitErrors(0, time.Time{}))
	}
	if seen, err := s.seenWaiting(); !seen || err != nil {
		return err
	}
	if failed, err := s.keepsFailing(); failed || err != nil {
		return err
	}
	url, err := s.w.records.UploadURL(s.ctx, s.rec.Input)
	if err != nil {
		return err
	}
	up, canPut := s.acct.Provider.(extraction.Uploader)
	if !canPut || url == "" || s.rec.UploadGone || s.rec.UploadExpires.Sub(s.now()) < uploadMargin {
		return s.startOver()
	}
	// The next failure must again be seen twice.
	if err := s.mark(new(store.Change).Polls(s.rec.Polls).WaitingSince(time.Time{})); err != nil {
		return s.lost(err)
	}
	return s.put(up, extraction.Upload{
		VendorID: s.rec.VendorID, VendorStatus: s.rec.VendorStatus, URL: url, ExpiresAt: s.rec.UploadExpires,
	})
}

// keepsFailing ends an extraction whose document has not arrived in as many attempts as
// the account allows, while others arrive. The vendor still waits for it, so that nothing
// was paid for.
func (s *step) keepsFailing() (bool, error) {
	if s.acct.SubmitAttempts <= 0 || s.rec.SubmitErrors < s.acct.SubmitAttempts {
		return false, nil
	}
	others, err := s.othersSucceed(s.ctx, limiter.OpSubmit)
	if err != nil || !others {
		return false, err
	}
	return true, s.fail(extraction.StatusError, extraction.NewFailure(extraction.CodeVendorFailed,
		fmt.Sprintf("the upload failed %d times, and the vendor never got the document", s.rec.SubmitErrors), nil),
		new(store.Change).Polls(s.rec.Polls))
}

// seenWaiting reports whether the vendor was seen waiting for the document twice,
// so far apart that an earlier upload surely had not arrived by then. After the
// first time, it reschedules the step.
func (s *step) seenWaiting() (bool, error) {
	now := s.now()
	if !s.rec.WaitingSince.IsZero() && now.Sub(s.rec.WaitingSince) >= rePutAfter {
		return true, nil
	}
	c := new(store.Change).Polls(s.rec.Polls)
	if s.rec.WaitingSince.IsZero() {
		c.WaitingSince(now)
	}
	return false, s.again(extraction.StepSubmit, rePutAfter, extraction.BecauseRetry, c)
}

// startOver abandons an opened submission that never got its document and can
// no longer get it. That is free.
func (s *step) startOver() error {
	if left := s.rec.UploadExpires.Sub(s.now()); left > 0 && !s.rec.UploadGone {
		return s.again(extraction.StepSubmit, left, extraction.BecauseRetry, new(store.Change).Polls(s.rec.Polls))
	}
	return s.anew()
}
