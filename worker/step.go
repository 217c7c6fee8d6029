package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/polling"
	"github.com/extractq/extractq/store"
)

// step is one attempt at one step of one extraction, under its lease.
type step struct {
	w    *Worker
	acct *account
	kind extraction.Step
	rec  store.Record
	*hold
	fence store.Fence
	// forecast says when to ask for the document. It is looked up before the vendor
	// is called, so that nothing is between its answer and the record.
	forecast polling.Forecast

	began      time.Time      // Local, when the lease was taken.
	redisNow   time.Time      // Redis's time then.
	outcome    string         // What the attempt came to, for its log line.
	final      *queue.Outcome // Set when this attempt ended the extraction.
	delay      time.Duration  // How long the vendor's end was unknown, for metrics.
	answered   func()         // Ends the latest poll's call and what its answer holds.
	ended      bool           // The step has been given back, or lost.
	guard      *guard         // The document's bytes, once they were opened,
	bodyErr    error          // and what went wrong with them,
	redisErr   error          // where it was the journal entry before the last one.
	claim      *store.Sent    // What this step has told the document store of its submission.
	admitted   bool           // The first call to the vendor is.
	alone      bool           // No other extraction waits for the place that this one gives up.
	pending    *store.Change  // What is written with the next change.
	unreported limiter.Op     // A call that worked, which the account is not told yet.
}

// begin takes the lease of the step that p names. A nil step means that there is
// nothing to do for this task.
func (w *Worker) begin(ctx context.Context, p queue.Payload, kind extraction.Step) (*step, error) {
	acct, ok := w.account(p.Account)
	if !ok {
		return nil, fmt.Errorf("account %q is not configured", p.Account)
	}
	f := store.Fence{
		Input: store.Input{ID: p.ID, Account: p.Account, Batch: p.Batch},
		Seq:   p.Seq, Token: store.NewToken(),
	}
	asked := time.Now()
	lease, err := w.records.BeginWith(ctx, w.firstCall(acct, kind, p.Seq), f, kind, w.cfg.Lease)
	switch {
	case errors.Is(err, store.ErrWaits):
		acct.roomMade() // There may be room for others.
		return nil, w.queue.Park(ctx, lease.Record)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrFinal),
		errors.Is(err, store.ErrStale), errors.Is(err, store.ErrBusy):
		w.log.DebugContext(ctx, "task has nothing to do", slog.String("extraction_id", p.ID),
			slog.Int64("seq", p.Seq), slog.Any("because", err))
		return nil, nil
	case err != nil:
		return nil, err
	}
	s := &step{
		w: w, acct: acct, kind: kind, rec: lease.Record, fence: lease.Fence, began: asked, redisNow: lease.Now,
		hold:  keep(ctx, func(ctx context.Context) error { return w.records.Renew(ctx, lease.Fence, w.cfg.Lease) }, w.cfg.Lease, asked),
		delay: unended, answered: func() {}, admitted: lease.Admitted,
	}
	if s.admitted && lease.Crowded {
		acct.roomMade()
	}
	s.forecast = acct.planner.Forecast(ctx, s.rec.TypeLabel())
	return s, nil
}

// firstCall admits, with the lease, the call that a step begins with, where it may be made at
// once. It is nil where this process makes none, because its document store fails.
func (w *Worker) firstCall(a *account, kind extraction.Step, seq int64) *store.Rider {
	if !w.store.works() {
		return nil
	}
	op := limiter.OpPoll
	if kind == extraction.StepSubmit {
		op = submitOp(seq)
	}
	r := store.Rider(limiter.Admits(a.Name, op, a.Rate))
	return &r
}

// submitOp is the kind of a submission's call: one that comes again goes first.
func submitOp(seq int64) limiter.Op {
	if seq > 1 {
		return limiter.OpResubmit
	}
	return limiter.OpSubmit
}

// answered reports whether err is a verdict of a script that the extraction has moved
// on, and not trouble with Redis.
func answered(err error) bool {
	for _, verdict := range []error{
		store.ErrStale, store.ErrFinal, store.ErrNotFound, store.ErrKnown, store.ErrSupplanted,
	} {
		if errors.Is(err, verdict) {
			return true
		}
	}
	return false
}

// nothingToDo drops the verdicts of scripts that the extraction has moved on.
func nothingToDo(err error) error {
	if answered(err) {
		return nil
	}
	return err
}

// close gives back a step that nothing else has ended, as after trouble with
// Redis or a panic, ends the heartbeat and writes the attempt's log line.
func (s *step) close(ctx context.Context) {
	if !s.ended {
		_ = s.again(s.kind, s.w.cfg.RetryDelay, extraction.BecauseRetry, nil) // Its lease lapses otherwise.
		s.outcome = "interrupted"
	}
	s.answered()
	s.stop()
	s.countEnd()
	if (s.kind == extraction.StepSubmit || s.final != nil) && !s.alone {
		s.acct.roomMade()
	}
	attrs := []any{
		slog.String("extraction_id", s.rec.ID), slog.String("account", s.acct.Name),
		slog.String("step", string(s.kind)), slog.Int64("seq", s.fence.Seq),
		slog.String("outcome", s.outcome), slog.Duration("duration", time.Since(s.began)),
	}
	if s.final != nil {
		attrs = append(attrs, slog.Bool("hooked", s.rec.Hooked)) // Or it was a planned poll that found the end.
	}
	s.w.log.InfoContext(ctx, "attempt finished", attrs...)
}

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
	err := s.w.records.Mark(ctx, s.fence, s.whole(c))
	if err == nil {
		s.pending = nil
	}
	return err
}

// whole is a change with what is to be written with it.
func (s *step) whole(c *store.Change) *store.Change {
	if s.pending == nil {
		return c
	}
	return new(store.Change).Add(s.pending).Add(c)
}

// admit waits for the moment of one call to the vendor. False means that the
// step was rescheduled, because the wait would be too long for a worker, or that
// err stopped it.
func (s *step) admit(op limiter.Op) (bool, error) {
	if s.admitted {
		s.admitted = false
		return true, nil
	}
	switch {
	case op == limiter.OpSubmit:
		op = submitOp(s.fence.Seq)
	case op == limiter.OpPoll && s.rec.Because == extraction.BecauseRate:
		op = limiter.OpRepoll
	}
	if delay, linger, barred := s.w.storeBarred(s.ctx, s.acct.Name); barred {
		err := s.again(s.kind, delay, extraction.BecauseStore, s.notBegun())
		_ = wait.For(s.w.base, linger) // The step's own context ends with its lease.
		return false, err
	}
	a, leave, err := s.w.await(s.ctx, s.acct, op)
	defer leave()
	if err != nil {
		return false, err
	}
	switch a.Verdict {
	case limiter.Go:
		return true, wait.For(s.ctx, a.Wait)
	case limiter.Paused:
		return false, s.again(s.kind, a.Wait, extraction.BecauseAccountPaused, s.notBegun())
	case limiter.StoreFails:
		return false, s.again(s.kind, a.Wait, extraction.BecauseStore, s.notBegun())
	case limiter.Wait, limiter.Later:
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

// again ends the attempt and schedules a step after delay.
func (s *step) again(next extraction.Step, delay time.Duration, because extraction.Because, c *store.Change) error {
	ctx, cancel := s.saving()
	defer cancel()
	at, err := s.w.records.Next(ctx, s.fence, next, delay, because, s.whole(c))
	if err != nil {
		return s.lost(err)
	}
	s.alone, s.unreported = !at.Crowded, ""
	s.scheduled(ctx, next, because, at)
	return nil
}

// scheduled ends the attempt once the record names the step that follows, and makes
// that step's task.
func (s *step) scheduled(ctx context.Context, next extraction.Step, because extraction.Because, at store.Scheduled) {
	s.ended, s.outcome = true, "next "+string(next)+" ("+string(because)+")"
	if err := s.w.queue.Schedule(ctx, s.rec, next, at); err != nil {
		// The step is written; reconcile makes its task.
		s.w.log.WarnContext(ctx, "task not enqueued", slog.String("extraction_id", s.rec.ID), slog.Any("error", err))
	}
}

// finish writes the end.
func (s *step) finish(ctx context.Context, status extraction.Status, c *store.Change) error {
	end, err := s.w.records.Finish(ctx, s.fence, status, s.w.cfg.kept(), s.whole(c))
	if err == nil {
		s.alone, s.unreported = !end.Crowded, ""
	}
	return err
}

// fail ends the extraction without SUCCESS.
func (s *step) fail(status extraction.Status, f *extraction.Failure, c *store.Change) error {
	if s.rec.Fetching() {
		return s.unfetched(f.Message, c) // That has ended.
	}
	if kept, err := s.hadSucceeded(c); kept || err != nil {
		return err
	}
	ctx, cancel := s.saving()
	defer cancel()
	if err := s.finish(ctx, status, c.Failure(f)); err != nil {
		return s.lost(err)
	}
	s.ended, s.outcome = true, string(status)+" "+string(f.Code)
	s.final = &queue.Outcome{Status: status, ErrorCode: f.Code, Polls: s.rec.Polls}
	s.callBack(ctx)
	return nil
}

// callBack enqueues the first delivery to the producer of what this step has ended.
func (s *step) callBack(ctx context.Context) {
	if s.rec.CallbackURL == "" {
		return
	}
	now := s.now()
	if err := s.w.queue.Deliver(ctx, s.rec, store.Scheduled{Seq: 1, Due: now, Now: now}); err != nil {
		// The record says that it is due; reconcile makes its task.
		s.w.log.WarnContext(ctx, "delivery not enqueued", slog.String("extraction_id", s.rec.ID), slog.Any("error", err))
	}
}

// outcomeLost is the outcome of a step that another worker has taken.
const outcomeLost = "lost"

// lost is the end of a step that a script refused: the extraction has moved on, and
// there is nothing to do. Any other error is trouble with Redis.
func (s *step) lost(err error) error {
	if nothingToDo(err) == nil {
		s.ended, s.outcome = true, outcomeLost
		return nil
	}
	return err
}

// works tells the account, with the change that ends the step, that the vendor does its work.
func (s *step) works(op limiter.Op, c *store.Change) {
	s.unreported = op
	c.With(store.Rider(limiter.Works(s.acct.Name, op)))
}

// worked tells the account that the vendor does its work, where no change did. That this is
// lost when Redis fails at this moment matters little: the next call says it too.
func (s *step) worked() {
	if s.unreported == "" {
		return
	}
	ctx, cancel := s.saving()
	defer cancel()
	if _, err := s.w.limiter.Report(ctx, s.acct.Name, s.rec.ID, s.unreported, true); err != nil {
		s.w.log.WarnContext(ctx, "report lost", slog.String("account", s.acct.Name), slog.Any("error", err))
	}
}
