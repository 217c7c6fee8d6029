package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/store"
)

// A vendor id that no record holds is a document that was paid for and is lost. The
// worker that got it from the vendor therefore goes on until the record has it, with its
// lease or without, however long Redis is away.

// save writes the vendor's id, with c and the first poll. Where the lease was lost
// meanwhile, the record gets the id all the same.
func (s *step) save(vendorID string, c *store.Change) error {
	due, wait := s.nextPoll()
	c = s.whole(c.PlannedAt(due))
	at, err := s.insist(vendorID, func(ctx context.Context) (store.Scheduled, error) {
		return s.w.records.Next(ctx, s.fence, extraction.StepPoll, wait, extraction.BecauseScheduled, c)
	})
	resolved := err != nil && answered(err)
	if resolved {
		token := store.NewToken()
		at, err = s.insist(vendorID, func(ctx context.Context) (store.Scheduled, error) {
			return s.w.records.Resolve(ctx, s.rec.Input, token, vendorID)
		})
	}
	switch {
	case err == nil:
		s.alone = !at.Crowded && !resolved
		if !resolved {
			s.unreported = ""
		}
		ctx, cancel := s.saving()
		defer cancel()
		s.scheduled(ctx, extraction.StepPoll, extraction.BecauseScheduled, at)
		return nil
	case errors.Is(err, store.ErrSupplanted):
		s.w.log.ErrorContext(s.ctx, "the document was submitted twice: another vendor id is followed", s.paidFor(err, vendorID)...)
	case errors.Is(err, store.ErrNotFound):
		return s.regain(vendorID, err)
	}
	return s.lost(err)
}

// regain writes the record of a submission anew where Redis has lost it meanwhile, with the
// vendor's id. One that was deleted stays away.
func (s *step) regain(vendorID string, cause error) error {
	ctx, cancel := s.saving()
	defer cancel()
	gone, err := s.w.records.Forgotten(ctx, s.acct.Name, s.rec.ID)
	if err == nil && !gone {
		return s.lost(cause)
	}
	if err == nil {
		err = s.witnessed(vendorID)
	}
	var a store.Accepted
	if err == nil {
		a, err = s.w.cfg.Blobs.Accepted(ctx, s.rec.ID)
	}
	var r store.Record
	if err == nil {
		r, err = intake.Recover(ctx, s.w.records, s.w.cfg.Blobs, a)
	}
	if err != nil {
		s.w.log.ErrorContext(s.ctx, "the record of a submission is gone: its vendor id is followed by nothing",
			s.paidFor(errors.Join(cause, err), vendorID)...)
		return s.lost(cause)
	}
	s.w.log.ErrorContext(s.ctx, "Redis has lost the record of a submission: it is made anew", s.paidFor(cause, vendorID)...)
	s.scheduled(ctx, extraction.StepPoll, extraction.BecauseScheduled, store.Scheduled{Seq: r.Seq, Due: r.Due, Now: r.Due})
	return nil
}

// insist calls a script until Redis answers it, and no longer than the process lives.
func (s *step) insist(vendorID string, script func(context.Context) (store.Scheduled, error)) (store.Scheduled, error) {
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, saveTimeout) {
		ctx, cancel := context.WithTimeout(s.w.base, saveTimeout)
		at, err := script(ctx)
		cancel()
		if err == nil || answered(err) {
			return at, err
		}
		if wait.For(s.w.base, delay) != nil {
			s.w.log.ErrorContext(s.ctx, "vendor id not saved before the process stops", s.paidFor(err, vendorID)...)
			return at, err
		}
	}
}

// paidFor names the vendor id that is in no record, for the operator who looks for it at
// the vendor.
func (s *step) paidFor(err error, vendorID string) []any {
	return []any{
		slog.String("extraction_id", s.rec.ID), slog.String("account", s.acct.Name),
		slog.String("vendor_id", vendorID), slog.Any("error", err),
	}
}
