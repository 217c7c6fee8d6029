package worker

import (
	"context"
	"errors"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// trouble acts on an error of a vendor call: on the account, and on the
// extraction by ending it or repeating the step, with c.
func (s *step) trouble(err error, op limiter.Op, c *store.Change) error {
	if s.ctx.Err() != nil || s.bodyErr != nil {
		return s.notTheVendor(c)
	}
	if ours, ok := errors.AsType[*transfer.SpoolError](err); ok {
		return s.storeFails(ours, s.kind, c)
	}
	err, wait, stateErr := s.blame(err, op)
	if stateErr != nil {
		return stateErr
	}
	if wait > 0 {
		return s.again(s.kind, wait, extraction.BecauseRetry, c)
	}
	ctx, cancel := s.saving()
	defer cancel()
	others, stateErr := s.othersSucceed(ctx, op)
	if stateErr != nil {
		return stateErr
	}
	failures, attempts := s.rec.PollErrors+1, 0
	if s.kind == extraction.StepSubmit {
		failures = s.rec.SubmitErrors + 1
		// Only a submission that surely did not arrive may be the last one: a
		// question about one that may have arrived is asked until it is answered.
		if e, ok := errors.AsType[*extraction.Error](err); op == limiter.OpSubmit && (!ok || !e.Sent) {
			attempts = s.acct.SubmitAttempts
		}
	}
	r := react(err, op, failures, attempts, others)
	if r.Fault && op == limiter.OpPoll {
		over, stateErr := s.neverAnswered(failures, others)
		if stateErr != nil {
			return stateErr
		}
		if over {
			r.Failure = unanswered(err, failures)
		}
	}
	if err := s.account(ctx, r, op, err); err != nil {
		return err
	}
	switch {
	case r.Fault && s.kind == extraction.StepSubmit:
		c.SubmitErrors(failures, s.failingSince())
	case r.Fault:
		c.PollErrors(failures).FailingSince(s.failingSince())
	}
	if r.Failure != nil {
		return s.fail(extraction.StatusError, r.Failure, c)
	}
	if r.Because != extraction.BecauseRate {
		c.Trouble(extraction.Trouble{
			Code: troubleCode(err), Message: extraction.Explain(err), At: extraction.Time{Time: s.now()},
		})
	}
	return s.again(s.kind, r.Delay, r.Because, c)
}

// notTheVendor acts on a call that failed for a reason of ours: the lease is
// lost, the process stops, or the document cannot be read. It counts against neither
// the document nor the account.
func (s *step) notTheVendor(c *store.Change) error {
	switch {
	case errors.Is(context.Cause(s.ctx), errLeaseLost), errors.Is(s.bodyErr, errLeaseLost),
		errors.Is(s.bodyErr, store.ErrStale): // The last byte was not to be let go any more.
		s.ended, s.outcome = true, "lease lost"
		return nil // The worker that took over acts.
	case s.ctx.Err() != nil:
		return s.again(s.kind, 0, extraction.BecauseRetry, c)
	case errors.Is(s.bodyErr, store.ErrNotFound):
		return s.fail(extraction.StatusError, extraction.NewFailure(extraction.CodeDocumentUnavailable,
			"the document is not in the document store", nil), c)
	case errors.Is(s.bodyErr, store.ErrChanged):
		return s.fail(extraction.StatusError, extraction.NewFailure(extraction.CodeDocumentUnavailable,
			store.ErrChanged.Error(), nil), c)
	}
	if s.redisErr != nil {
		return s.again(s.kind, s.w.cfg.RetryDelay, extraction.BecauseRetry, c)
	}
	return s.storeFails(s.bodyErr, s.kind, c)
}

// account carries out what a reaction means for the account.
func (s *step) account(ctx context.Context, r reaction, op limiter.Op, cause error) error {
	if r.Fault {
		down, err := s.w.limiter.Report(ctx, s.acct.Name, s.rec.ID, op, false)
		if err != nil {
			return err
		}
		if down {
			r.Pause = limiter.Unavailable
		}
	}
	return s.w.troubled(ctx, s.acct, r, cause)
}

// troubled notes trouble that concerns an account, and blocks or pauses it where the
// reaction says so.
func (w *Worker) troubled(ctx context.Context, a *account, r reaction, cause error) error {
	if !r.Fault && r.Block <= 0 && r.Pause == limiter.Active {
		return nil
	}
	if err := w.limiter.Trouble(ctx, a.Name, string(troubleCode(cause)), extraction.Explain(cause)); err != nil {
		return err
	}
	if e, ok := errors.AsType[*extraction.Error](cause); ok && e.Kind == extraction.KindRateLimited && e.RetryAfter == 0 {
		usedUp, err := w.limiter.Throttled(ctx, a.Name)
		if err != nil {
			return err
		}
		if usedUp {
			r.Pause = limiter.Quota
		}
	}
	if r.Block > 0 {
		if err := w.limiter.Block(ctx, a.Name, r.Block); err != nil {
			return err
		}
	}
	if r.Pause == limiter.Active {
		return nil
	}
	return w.pause(ctx, a, r.Pause, cause)
}

// othersSucceed reports whether the vendor has done anything for the account since this
// extraction began to fail: taken a submission, where it is a submission that fails.
func (s *step) othersSucceed(ctx context.Context, op limiter.Op) (bool, error) {
	if s.rec.FailingSince.IsZero() {
		return false, nil
	}
	state, err := s.w.limiter.State(ctx, s.acct.Name)
	if op == limiter.OpSubmit {
		return state.LastSubmitOK.After(s.rec.FailingSince), err
	}
	return state.LastOK.After(s.rec.FailingSince), err
}

// failingSince is when the present row of failures began.
func (s *step) failingSince() time.Time {
	if s.rec.FailingSince.IsZero() {
		return s.now()
	}
	return s.rec.FailingSince
}

// troubleCode is the code under which trouble that is not final is shown.
func troubleCode(err error) extraction.Code {
	switch extraction.KindOf(err) {
	case extraction.KindUnauthorized, extraction.KindForbidden:
		return extraction.CodeUnauthorized
	case extraction.KindQuota:
		return extraction.CodeVendorQuota
	case extraction.KindRateLimited:
		return extraction.CodeRateLimited
	case extraction.KindRejected:
		return extraction.CodeVendorRejected
	case extraction.KindTooLarge:
		return extraction.CodeResultTooLarge
	case extraction.KindNotFound, extraction.KindTransient, extraction.KindUploadGone:
		return extraction.CodeVendorFailed
	}
	return extraction.CodeVendorFailed
}
