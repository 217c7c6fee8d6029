package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
)

// step is one attempt at one step of one extraction, under its lease.
type step struct {
	w    *Worker
	acct *account
	kind extraction.Step
	rec  store.Record
	*hold

	began    time.Time // Local, when the lease was taken.
	redisNow time.Time // Redis's time then.
	outcome  string    // What the attempt came to, for its log line.
	ended    bool      // The step has been given back, or lost.
	guard    *guard    // The document's bytes, once they were opened,
	bodyErr  error     // and what went wrong with them.
}

// begin takes the lease of the step that p names. A nil step means that there
// is nothing to do for this task.
func (w *Worker) begin(ctx context.Context, p tasks.Payload, kind extraction.Step, slots int) (*step, error) {
	acct, ok := w.accounts[p.Account]
	if !ok {
		return nil, fmt.Errorf("account %q is not configured", p.Account)
	}
	f := store.Fence{
		Input: store.Input{ID: p.ID, Account: p.Account, Batch: p.Batch},
		Seq:   p.Seq, Token: store.NewToken(),
	}
	asked := time.Now()
	lease, err := w.records.Begin(ctx, f, w.cfg.Lease, slots)
	switch {
	case errors.Is(err, store.ErrFull):
		return nil, w.deferFull(ctx, acct, f)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrFinal),
		errors.Is(err, store.ErrStale), errors.Is(err, store.ErrBusy):
		w.log.DebugContext(ctx, "task has nothing to do", slog.String("extraction_id", p.ID),
			slog.Int64("seq", p.Seq), slog.Any("because", err))
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &step{
		w: w, acct: acct, kind: kind, rec: lease.Record, began: asked, redisNow: lease.Now,
		hold: keep(ctx, w.records, lease.Fence, w.cfg.Lease, asked),
	}, nil
}

// deferFull sends a submission away that finds no in-flight slot. It comes back
// when the rate would let it go: submissions that wait for slots are spread as
// those that wait for the rate.
func (w *Worker) deferFull(ctx context.Context, acct *account, f store.Fence) error {
	r, err := w.records.Get(ctx, acct.Name, f.Input.ID)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	f.Input = r.Input
	wait, err := w.limiter.Defer(ctx, acct.Name, acct.Rate)
	if err != nil {
		return err
	}
	next, err := w.records.Next(ctx, f, extraction.StepSubmit, wait, extraction.BecauseInFlight, nil)
	if err != nil {
		return nothingToDo(err)
	}
	return w.queue.Schedule(ctx, r, extraction.StepSubmit, next)
}

// nothingToDo drops the verdicts by which a script says that somebody else has
// moved the extraction on.
func nothingToDo(err error) error {
	if errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrFinal) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// close gives back a step that nothing else has ended, as after trouble with
// Redis or a panic, ends the heartbeat and writes the attempt's log line.
func (s *step) close(ctx context.Context) {
	if !s.ended {
		_ = s.again(s.kind, interruptedRetry, extraction.BecauseRetry, nil) // Its lease lapses otherwise.
		s.outcome = "interrupted"
	}
	s.stop()
	s.w.log.InfoContext(ctx, "attempt finished",
		slog.String("extraction_id", s.rec.ID), slog.String("account", s.acct.Name),
		slog.String("step", string(s.kind)), slog.Int64("seq", s.fence.Seq),
		slog.String("outcome", s.outcome), slog.Duration("duration", time.Since(s.began)))
}

// interruptedRetry spaces attempts that end in trouble with Redis or a panic.
const interruptedRetry = 5 * time.Second

// now is Redis's time, carried on by the local clock.
func (s *step) now() time.Time { return s.redisNow.Add(time.Since(s.began)) }

// saveTimeout bounds the writes after a vendor call.
const saveTimeout = 5 * time.Second

// saving is the context of writes that record what a vendor call came to. They
// must happen even when the process is being stopped; the fence refuses them
// where the lease is lost.
func (s *step) saving() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(s.ctx), saveTimeout)
}

// mark journals a change under the lease.
func (s *step) mark(c *store.Change) error {
	ctx, cancel := s.saving()
	defer cancel()
	return s.w.records.Mark(ctx, s.fence, c)
}

// admit waits for the moment of one call to the vendor. False means that the
// step was rescheduled, because the wait would be too long for a worker, or that
// err stopped it.
func (s *step) admit(op limiter.Op) (bool, error) {
	canWait := false
	select {
	case s.acct.waiters <- struct{}{}:
		canWait = true
		defer func() { <-s.acct.waiters }()
	default:
	}
	a, err := s.w.limiter.Admit(s.ctx, s.acct.Name, op, s.acct.Rate, canWait)
	if err != nil {
		return false, err
	}
	switch a.Verdict {
	case limiter.Go:
		return true, sleep(s.ctx, a.Wait)
	case limiter.Paused:
		return false, s.again(s.kind, a.Wait, extraction.BecauseAccountPaused, s.notBegun())
	case limiter.Later:
	}
	return false, s.again(s.kind, a.Wait, extraction.BecauseRate, s.notBegun())
}

// notBegun takes back what a dead worker's attempt left, where it cost nothing:
// while the step waits, its slot is free for others.
func (s *step) notBegun() *store.Change {
	if s.rec.Phase != store.PhaseSending {
		return nil
	}
	return new(store.Change).Phase(store.PhaseNone)
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// again ends the attempt and schedules a step after delay.
func (s *step) again(next extraction.Step, delay time.Duration, because extraction.Because, c *store.Change) error {
	ctx, cancel := s.saving()
	defer cancel()
	at, err := s.w.records.Next(ctx, s.fence, next, delay, because, c)
	if err != nil {
		return s.lost(err)
	}
	s.ended, s.outcome = true, "next "+string(next)+" ("+string(because)+")"
	if err := s.w.queue.Schedule(ctx, s.rec, next, at); err != nil {
		// The step is written; reconcile makes its task.
		s.w.log.WarnContext(ctx, "task not enqueued", slog.String("extraction_id", s.rec.ID), slog.Any("error", err))
	}
	return nil
}

// fail ends the extraction otherwise than with SUCCESS.
func (s *step) fail(status extraction.Status, f *extraction.Failure, c *store.Change) error {
	ctx, cancel := s.saving()
	defer cancel()
	_, err := s.w.records.Finish(ctx, s.fence, status, s.w.kept(status), c.Failure(f))
	if err != nil {
		return s.lost(err)
	}
	s.ended, s.outcome = true, string(status)+" "+string(f.Code)
	return nil
}

// outcomeLost is the outcome of a step that somebody else has taken.
const outcomeLost = "lost"

// lost is the end of a step that a script refused: somebody else has it, and
// there is nothing to do. Any other error is trouble with Redis.
func (s *step) lost(err error) error {
	if nothingToDo(err) == nil {
		s.ended, s.outcome = true, outcomeLost
		return nil
	}
	return err
}

// trouble acts on an error of a vendor call: on the account, and on the
// extraction by ending it or repeating the step, with c.
func (s *step) trouble(err error, op limiter.Op, c *store.Change) error {
	if s.ctx.Err() != nil || s.bodyErr != nil {
		return s.notTheVendor(c)
	}
	ctx, cancel := s.saving()
	defer cancel()
	others, stateErr := s.othersSucceed(ctx)
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
	if err := s.account(ctx, r, err); err != nil {
		return err
	}
	switch {
	case r.Fault && s.kind == extraction.StepSubmit:
		c.SubmitErrors(failures, s.failingSince())
	case r.Fault:
		c.PollErrors(failures)
	}
	if r.Failure != nil {
		return s.fail(extraction.StatusError, r.Failure, c)
	}
	if r.Because != extraction.BecauseRate {
		c.Trouble(extraction.Trouble{
			Code: troubleCode(err), Message: err.Error(), At: extraction.Time{Time: s.now()},
		})
	}
	return s.again(s.kind, r.Delay, r.Because, c)
}

// notTheVendor acts on a call that failed for a reason of ours: the lease is
// lost, the process stops, or the document cannot be read. It counts against
// nobody.
func (s *step) notTheVendor(c *store.Change) error {
	switch {
	case errors.Is(context.Cause(s.ctx), errLeaseLost), errors.Is(s.bodyErr, errLeaseLost):
		s.ended, s.outcome = true, "lease lost"
		return nil // Whoever took over acts.
	case s.ctx.Err() != nil:
		return s.again(s.kind, 0, extraction.BecauseRetry, c)
	case errors.Is(s.bodyErr, store.ErrNotFound):
		return s.fail(extraction.StatusError, extraction.NewFailure(extraction.CodeDocumentUnavailable,
			"the document is not in the document store", nil), c)
	}
	return s.storeFails(s.bodyErr, s.kind, c)
}

// storeFails goes on with a step after trouble with the document store.
func (s *step) storeFails(err error, next extraction.Step, c *store.Change) error {
	s.w.log.ErrorContext(s.ctx, "document store fails", slog.String("extraction_id", s.rec.ID), slog.Any("error", err))
	return s.again(next, storeRetry, extraction.BecauseRetry, c.Trouble(extraction.Trouble{
		Code: extraction.CodeInternal, Message: "the document store fails", At: extraction.Time{Time: s.now()},
	}))
}

// storeRetry spaces attempts while the document store fails.
const storeRetry = 10 * time.Second

// account carries out what a reaction means for the account.
func (s *step) account(ctx context.Context, r reaction, cause error) error {
	if r.Block > 0 {
		if err := s.w.limiter.Block(ctx, s.acct.Name, r.Block); err != nil {
			return err
		}
	}
	if r.Fault {
		down, err := s.w.limiter.Report(ctx, s.acct.Name, s.rec.ID, false)
		if err != nil {
			return err
		}
		if down {
			r.Pause = limiter.Unavailable
		}
	}
	if r.Pause == limiter.Active {
		return nil
	}
	return s.w.pause(ctx, s.acct, r.Pause, cause)
}

// worked tells the account that the vendor does its work. That this is lost
// when Redis fails at this moment matters little: the next call says it too.
func (s *step) worked() {
	ctx, cancel := s.saving()
	defer cancel()
	if _, err := s.w.limiter.Report(ctx, s.acct.Name, s.rec.ID, true); err != nil {
		s.w.log.WarnContext(ctx, "report lost", slog.String("account", s.acct.Name), slog.Any("error", err))
	}
}

// othersSucceed reports whether the vendor has done anything for the account
// since this extraction began to fail.
func (s *step) othersSucceed(ctx context.Context) (bool, error) {
	if s.rec.FailingSince.IsZero() {
		return false, nil
	}
	state, err := s.w.limiter.State(ctx, s.acct.Name)
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
	case extraction.KindUnauthorized:
		return extraction.CodeUnauthorized
	case extraction.KindQuota, extraction.KindRateLimited:
		return extraction.CodeVendorQuota
	case extraction.KindRejected:
		return extraction.CodeVendorRejected
	case extraction.KindNotFound, extraction.KindTransient, extraction.KindUploadGone:
		return extraction.CodeVendorFailed
	}
	return extraction.CodeVendorFailed
}

// submission is what the provider is told. The body is in s.guard once it was
// opened; sent is called before its last byte is let go, and may be nil.
func (s *step) submission(name string, sent func() error) extraction.Submission {
	sub := extraction.Submission{
		Name: name, ContentType: s.rec.Document.ContentType, URL: string(s.rec.Document.URL),
		Type: s.rec.Type, Types: s.rec.Types, ConfigName: s.rec.ConfigName,
		Environment: s.rec.Environment, Customer: s.rec.Customer, Options: s.rec.Options,
	}
	if s.rec.Document.Bytes == nil {
		return sub
	}
	sub.Bytes = *s.rec.Document.Bytes
	sub.Body = func() (io.ReadCloser, error) {
		body, err := s.w.cfg.Blobs.OpenDocument(s.ctx, s.rec.ID)
		if err != nil {
			s.bodyErr = err
			return nil, err
		}
		s.guard = &guard{body: body, hold: s.hold, left: sub.Bytes, last: sent}
		return s.guard, nil
	}
	return sub
}

// settleBody ends the reading of the document and reports whether its last byte
// was let go. It is called after every call that may have read it.
func (s *step) settleBody() (released bool) {
	if s.guard == nil {
		return false
	}
	released, err := s.guard.settle()
	if err != nil {
		s.bodyErr = err
	}
	return released
}

// calling bounds one vendor call; the error says which limit it was.
func (s *step) calling(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(s.ctx, d, fmt.Errorf("no answer within %v", d))
}

// pollCall bounds a call without a document.
const pollCall = 30 * time.Second

// sendCall bounds a call with a document: a minute, and what the bytes take at
// 100 kB/s.
func sendCall(bytes int64) time.Duration {
	return time.Minute + time.Duration(bytes/100_000)*time.Second
}
