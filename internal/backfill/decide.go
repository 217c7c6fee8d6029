package backfill

import (
	"context"
	"errors"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/backfill/results"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// action is what to do about a document that an earlier run may have begun.
type action int

const (
	actionSubmit action = iota // Submit it.
	actionResume               // Make its extraction from the journal; the vendor may have it.
	actionFollow               // Its extraction is followed already.
	actionSkip                 // It is counted; there is nothing to do.
)

// decision is an action with what the journal has of the document. The entry has the name of
// its result.
type decision struct {
	action   action
	entry    journal.Entry
	progress journal.Progress
}

// candidate is a document with what an earlier run began for it.
type candidate struct {
	// want is the entry of this run, and whole the name of the result if its own is taken.
	want  journal.Entry
	whole string
	old   journal.Entry
	done  journal.Progress
	// id is for a new extraction.
	id string
}

// decide looks for what an earlier run began for the document. A new extraction is journalled
// with the id.
func (b *Backfill) decide(ctx context.Context, d *documents.Document, id string) (decision, error) {
	want, err := b.wantedEntry(d)
	if err != nil {
		return decision{}, err
	}
	old, done, ok, err := b.journal.Find(want)
	if err == nil && !ok {
		old, done, ok, err = b.findUnjournalled(ctx, d, want)
	}
	if err != nil {
		return decision{}, err
	}
	c := candidate{want, d.WholeName(), old, done, id}
	if !ok {
		return b.submitNew(c)
	}
	c.want.Name = old.Name
	r, err := b.Records.Get(ctx, b.Account.Name, old.ID)
	switch {
	case err == nil:
		return b.decideByRecord(ctx, c, r)
	case errors.Is(err, store.ErrNotFound):
		return b.decideByJournal(ctx, c)
	}
	return decision{}, errkind.MarkUnavailable(err)
}

// decideByRecord goes on with an earlier run's extraction.
func (b *Backfill) decideByRecord(ctx context.Context, c candidate, r store.Record) (decision, error) {
	switch was := stateOf(b.resultFile(c.old.Name), c.old, c.done); {
	case r.Status.Final() && r.Status != extraction.StatusSuccess && b.RetryFailed:
		// Only one process repeats it; this one goes on with what another began.
		id, err := b.claimRetry(ctx, r, c.id)
		if err != nil {
			return decision{}, errkind.MarkUnavailable(err)
		}
		return b.resumeAs(c, id, intake.Repeats(r))
	case r.Status.Final() && (was == stateSucceeded || was == stateFailed):
		b.callbacks.Add(r, c.old.Name)
		return decision{actionSkip, c.old, c.done}, b.reportEarlier(c.old)
	case r.Status == extraction.StatusSuccess: // Its result may be damaged or gone, then it is fetched again.
		_, err := b.Client.Retry(ctx, r.Account, r.ID, false)
		if err != nil && !errors.Is(err, intake.ErrSucceeded) && !errors.Is(err, store.ErrNotFound) {
			return decision{}, errkind.MarkUnavailable(err)
		}
	}
	b.journal.Resume(c.done)
	b.watch(c.old.ID, c.old.Name)
	return decision{actionFollow, c.old, c.done}, nil
}

// decideByJournal decides about an extraction whose record is gone: after its retention, or
// with a Redis in memory, or because a crash fell between the journal and the record.
func (b *Backfill) decideByJournal(ctx context.Context, c candidate) (decision, error) {
	was := stateOf(b.resultFile(c.old.Name), c.old, c.done)
	switch {
	case was == stateSucceeded:
		return decision{actionSkip, c.old, c.done}, b.reportEarlier(c.old)
	case was == stateNeverSent:
		return b.decideUnsent(ctx, c)
	case (was == stateFailed || was == stateAmbiguous) && !b.RetryFailed && !b.sandboxed:
		return decision{actionSkip, c.old, c.done}, b.reportEarlier(c.old)
	case b.sandboxed, was == stateAmbiguous: // A sandbox has ended with its run: there is nothing to ask the vendor for.
		return b.submitNew(c)
	case was == stateFailed: // The vendor is asked first if it may have the old one, as retry does.
		return b.resumeAs(c, c.id, intake.Repeats(b.reconstructed(c.old, c.done)))
	case was == stateResultMissing: // A new extraction fetches the result, and submits nothing.
		e, _ := results.Read(b.resultFile(c.old.Name))
		at := e.SubmittedAt
		if at.IsZero() {
			at = e.FinishedAt
		}
		return b.resumeAs(c, c.id, intake.Begun{VendorID: string(e.Vendor.ID), SubmittedAt: at.Time, RetryOf: c.old.ID})
	}
	// The vendor has it, or may have.
	erased, err := b.Records.Erased(ctx, b.Account.Name, c.old.ID)
	switch {
	case err != nil:
		return decision{}, errkind.MarkUnavailable(err)
	case !erased:
		return decision{actionResume, c.old, c.done}, nil
	case b.RetryFailed:
		return b.submitNew(c)
	}
	b.progress.Skip(render.Tally{Code: extraction.CodeCanceled})
	b.fail(c.old.Name, extraction.CodeCanceled, errors.New("its extraction was erased; --retry-failed submits it again"))
	return decision{actionSkip, c.old, c.done}, nil
}

// decideUnsent decides about an extraction that, by the journal, was never sent to the vendor.
// If lines are damaged and nothing else remembers, one of them may have said the opposite.
func (b *Backfill) decideUnsent(ctx context.Context, c candidate) (decision, error) {
	if !b.journal.Damaged() || b.Persistent || b.RetryFailed || b.sandboxed {
		return b.submitNew(c)
	}
	kept, err := b.Blobs.HasDocument(ctx, c.old.ID)
	switch {
	case err != nil:
		return decision{}, errkind.MarkUnavailable(err)
	case kept:
		return decision{actionSkip, c.old, c.done}, b.reportEarlier(c.old)
	}
	return b.submitNew(c)
}

// submitNew journals a new extraction, which is to be submitted.
func (b *Backfill) submitNew(c candidate) (decision, error) {
	c.want.ID = c.id
	e, err := b.journal.Begin(c.want, c.whole)
	return decision{action: actionSubmit, entry: e}, err
}

// resumeAs journals a new extraction that goes on with what the vendor may have.
func (b *Backfill) resumeAs(c candidate, id string, begun intake.Begun) (decision, error) {
	c.want.ID = id
	p := journal.ProgressOf(id, begun)
	e, err := b.journal.Repeat(c.want, c.whole, p)
	return decision{actionResume, e, p}, err
}

// claimRetry returns the id of the repetition of r: the proposed one, unless there is one
// that was not erased since.
func (b *Backfill) claimRetry(ctx context.Context, r store.Record, proposed string) (string, error) {
	id, err := b.Records.ClaimRetry(ctx, r.Input, proposed)
	if err != nil || id == proposed {
		return id, err
	}
	if erased, err := b.Records.Erased(ctx, r.Account, id); err != nil || erased {
		return proposed, err
	}
	return id, nil
}
