package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/transfer"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// A vendor that answers 404 has either not yet made the extraction visible or
// dropped it.
const (
	missingGrace = time.Minute
	missingLimit = 5 * time.Minute
)

// poll asks the vendor once. "Not yet" is no failure: the next poll is planned
// and the task is done.
func (w *Worker) poll(ctx context.Context, p queue.Payload) (*queue.Outcome, error) {
	s, err := w.begin(ctx, p, extraction.StepPoll)
	if err != nil || s == nil {
		return nil, err
	}
	defer s.close(ctx)
	switch {
	case s.otherProvider():
		err = s.waitForProvider()
	case s.rec.Fetching():
		err = s.fetch()
	default:
		err = s.poll()
	}
	return s.final, err
}

func (s *step) poll() error {
	if due, early := s.tooEarly(); early {
		return s.again(extraction.StepPoll, due.Sub(s.now())-time.Second/2, extraction.BecauseScheduled,
			new(store.Change).PlannedAt(due))
	}
	ok, err := s.admit(limiter.OpPoll)
	if !ok || err != nil {
		return err
	}
	out, err := s.ask()
	if err == nil {
		err = s.aboutThis(out)
	}
	if err == nil {
		return s.settle(out, &store.Change{})
	}
	if extraction.KindOf(err) == extraction.KindNotFound {
		return s.missing(err)
	}
	return s.trouble(err, limiter.OpPoll, new(store.Change).Polls(s.rec.Polls))
}

// aboutThis refuses an answer about another document: the vendor gave one id to two
// submissions, or answers one question with the answer to another. What was submitted
// under a name with our token comes back under that, or under none.
func (s *step) aboutThis(out extraction.Outcome) error {
	_, uploads := s.acct.Provider.(extraction.Uploader)
	token := extraction.TokenID(out.Name)
	if s.rec.Attempts == 0 || uploads && s.rec.Document.URL == "" || token == "" || token == s.rec.ID {
		return nil
	}
	return &extraction.Error{
		Op: "poll", Kind: extraction.KindTransient, Err: errors.New("the answer is about another document"),
	}
}

// ask asks the vendor for the extraction and counts the call.
func (s *step) ask() (extraction.Outcome, error) {
	s.answered()
	ctx, cancel := s.calling()
	s.answered = cancel // The answer may be large: it keeps its file until it is stored.
	out, err := s.acct.Provider.Poll(ctx, s.rec.VendorID)
	s.rec.Polls++
	if err == nil && out.Status == extraction.StatusSuccess && out.Result == nil {
		err = &extraction.Error{Op: "poll", Kind: extraction.KindTransient, Err: errors.New("the vendor gave no result")}
	}
	return out, err
}

// settle acts on the vendor's answer.
func (s *step) settle(out extraction.Outcome, c *store.Change) error {
	defer s.worked()
	s.works(limiter.OpPoll, c)
	s.rec.VendorStatus = out.VendorStatus // The next task shows it.
	c.TroubleOver(s.now()).Polls(s.rec.Polls).PollErrors(0).FailingSince(time.Time{}).MissingSince(time.Time{}).VendorStatus(out.VendorStatus)
	if out.Unknown {
		s.warnUnknown(out.VendorStatus)
	}
	switch out.Status {
	case extraction.StatusSuccess:
		if err := s.anothers(out.Name); err != nil {
			return err
		}
		s.found(out)
		defer s.observe(out)
		return s.success(out, c)
	case extraction.StatusError, extraction.StatusExpired, extraction.StatusCanceled:
		if out.Status == extraction.StatusError {
			s.found(out)
			defer s.observe(out)
		}
		f := out.Failure
		if f == nil {
			f = extraction.NewFailure(extraction.CodeVendorFailed, "the vendor gave no reason", nil)
		}
		return s.fail(out.Status, f, c)
	case extraction.StatusQueued, extraction.StatusSubmitting, extraction.StatusInProgress:
	}
	return s.notYet(c)
}

// anothers notes whose submission an adopted extraction is, by the token in the vendor's
// name for it: where that one's answer was lost, its own search passes over what is
// followed already.
func (s *step) anothers(name string) error {
	token := extraction.TokenID(name)
	if s.rec.Attempts > 0 || token == "" || token == s.rec.ID {
		return nil
	}
	return s.w.records.NoteForeign(s.ctx, s.acct.Name, s.rec.VendorID, token)
}

// notYet plans the next poll, or ends the extraction when the deadline is over:
// only here, because only an answer "not yet" says that the vendor is late.
func (s *step) notYet(c *store.Change) error {
	elapsed := s.now().Sub(s.rec.SubmittedAt)
	if s.acct.Deadline > 0 && elapsed >= s.acct.Deadline {
		return s.fail(extraction.StatusError, extraction.NewFailure(extraction.CodeDeadlineExceeded,
			fmt.Sprintf("the vendor has not finished %v after the submission", s.acct.Deadline), nil), c)
	}
	return s.askAgain(extraction.BecauseScheduled, c.NotYetAt(s.now()))
}

// success stores the result and then the final status. Who loses the race for
// the status deletes the result again: its seq is no winner's.
func (s *step) success(out extraction.Outcome, c *store.Change) error {
	storing, cancelStoring := transfer.WithTimeout(context.WithoutCancel(s.ctx), s.w.cfg.Stall)
	defer cancelStoring()
	sum, err := s.w.cfg.Blobs.PutResult(storing, s.rec.ID, s.fence.Seq, out.Result)
	if err != nil {
		if errors.Is(err, store.ErrEncode) { // No repetition can mend that.
			return s.fail(extraction.StatusError, extraction.NewFailure(extraction.CodeInternal,
				"the result cannot be stored: "+err.Error(), nil), c)
		}
		// The next step is a poll, also where this one resumed an upload: the
		// vendor has the document.
		return s.storeFails(err, extraction.StepPoll, c)
	}
	ctx, cancel := s.saving()
	defer cancel()
	err = s.finish(ctx, out.Status, c.Result(s.fence.Seq).ResultSum(sum))
	if err == nil && s.rec.Fetching() {
		s.fetched(ctx, "result fetched")
		return s.w.cfg.Blobs.DeleteResult(ctx, s.rec.ID, s.rec.ResultSeq)
	}
	if err == nil {
		s.ended, s.outcome = true, string(out.Status)
		s.final = &queue.Outcome{Status: out.Status, Polls: s.rec.Polls}
		s.callBack(ctx)
		return nil
	}
	if err := s.lost(err); err != nil {
		return err
	}
	r, err := s.w.records.Get(ctx, s.acct.Name, s.rec.ID)
	if err == nil && r.ResultSeq == s.fence.Seq {
		return nil // After Redis went back in time, another step had the same seq.
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.w.cfg.Blobs.DeleteResult(ctx, s.rec.ID, s.fence.Seq)
}

// hadSucceeded ends an extraction with a result that is stored already, instead of without
// one: the vendor gave it before Redis went back in time, and may have dropped it since.
func (s *step) hadSucceeded(c *store.Change) (bool, error) {
	seq, sum, err := s.w.cfg.Blobs.StoredResult(s.ctx, s.rec.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return true, s.storeFails(err, s.kind, c)
	}
	ctx, cancel := s.saving()
	defer cancel()
	if err := s.finish(ctx, extraction.StatusSuccess, c.Result(seq).ResultSum(sum)); err != nil {
		return true, s.lost(err)
	}
	s.w.log.WarnContext(ctx, "extraction ends with the result that was stored before Redis went back in time",
		slog.String("extraction_id", s.rec.ID), slog.String("account", s.acct.Name))
	s.ended, s.outcome = true, string(extraction.StatusSuccess)
	s.final = &queue.Outcome{Status: extraction.StatusSuccess, Polls: s.rec.Polls}
	s.callBack(ctx)
	return true, nil
}

// missing acts on a 404: not yet at first, and dropped when it lasts.
func (s *step) missing(cause error) error {
	now := s.now()
	c := new(store.Change).Polls(s.rec.Polls).Trouble(extraction.Trouble{
		Code: troubleCode(cause), Message: extraction.Explain(cause), At: extraction.Time{Time: now},
	})
	if now.Sub(s.rec.SubmittedAt) < missingGrace {
		return s.askAgain(extraction.BecauseScheduled, c)
	}
	since := s.rec.MissingSince
	if since.IsZero() {
		since = now
		c.MissingSince(now)
	}
	if now.Sub(since) >= missingLimit {
		return s.fail(extraction.StatusExpired, extraction.NewFailure(extraction.CodeExpired,
			"the vendor no longer knows the extraction: "+cause.Error(), nil), c)
	}
	return s.askAgain(extraction.BecauseRetry, c)
}

// warnUnknown says once a process that the vendor uses an unknown word.
func (s *step) warnUnknown(word string) {
	if _, seen := s.acct.unknown.LoadOrStore(store.Label(word), true); !seen {
		s.w.log.WarnContext(s.ctx, "unknown vendor status, treated as in progress",
			slog.String("account", s.acct.Name), slog.String("vendor_status", store.Label(word)))
	}
}
