package backfill

import (
	"context"
	"errors"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backfill/results"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// begin submits one document, or goes on with what an earlier run began. An error ends the
// run; one about the document alone is only reported.
func (b *Backfill) begin(ctx context.Context, d documents.Source) error {
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	follows, err := b.beginOne(ctx, d)
	if !follows {
		<-b.slots
	}
	switch {
	case err == nil, ctx.Err() != nil:
		return nil
	case errkind.Of(err) == errkind.Unavailable, render.IsOutputError(err):
		return err
	}
	b.progress.Skip(render.Tally{Code: documents.CodeOf(err)})
	b.fail(d.Title(), documents.CodeOf(err), err)
	return nil
}

// beginOne reports whether the document has an extraction to wait for.
func (b *Backfill) beginOne(ctx context.Context, d documents.Source) (follows bool, err error) {
	doc, err := b.reader.Open(ctx, d)
	if err != nil {
		return false, err
	}
	defer doc.Close()
	s := doc.In(b.Template)
	s.ID = store.NewID()
	b.WarnSize(doc, b.Say)
	if b.journal == nil {
		if err := b.refusals.admit(ctx); err != nil {
			return false, err
		}
		if _, err := b.submitter.Submit(ctx, doc, s, b.Client.Submit); err != nil {
			b.refusals.release()
			return false, err
		}
		b.watch(s.ID, d.Title())
		return true, nil
	}
	next, err := b.decide(ctx, doc, s.ID)
	for b.submitter.Waits(ctx, err) { // The journal is only written once Redis has responded.
		next, err = b.decide(ctx, doc, s.ID)
	}
	if err != nil || next.action == actionSkip {
		return false, err
	}
	if next.action == actionFollow {
		return true, nil
	}
	s.ID = next.entry.ID
	send := b.Client.Submit
	if next.action == actionResume { // Redis does not know it: it was lost, or it is a repetition.
		b.journal.Resume(next.progress)
		send = func(ctx context.Context, s intake.Submission) (extraction.Extraction, error) {
			return b.Client.Resume(ctx, s, b.journal.Begun(next.progress))
		}
	} else if results.TooLong(d.Name) {
		b.Say("%s: its result will be in %s: no file can have its own name", render.Escape(d.Name), b.resultFile(next.entry.Name))
	}
	if next.action == actionSubmit { // Any other may be at the vendor already.
		err = b.refusals.admit(ctx)
	}
	if err == nil {
		_, err = b.submitter.Submit(ctx, doc, s, b.noting(send))
		if err != nil && next.action == actionSubmit {
			b.refusals.release()
		}
	}
	if next.action == actionResume && errors.Is(err, store.ErrFollowed) { // It was adopted meanwhile.
		id, findErr := b.Records.Follower(ctx, s.Account, next.progress.VendorID)
		if findErr == nil && id != "" {
			b.watch(id, next.entry.Name)
			return true, nil
		}
	}
	if err != nil {
		if next.action == actionSubmit && errkind.Of(err) != errkind.Unavailable {
			err = errors.Join(err, b.journal.Void(next.entry))
		}
		return false, err
	}
	b.watch(s.ID, next.entry.Name) // Only now: an extraction that does not exist counts as erased.
	return true, b.journal.Accepted(s.ID)
}

// watch follows an extraction, which holds the slot of its document from now on.
func (b *Backfill) watch(id, name string) {
	b.mu.Lock()
	b.watched[id] = watched{name, b.watched[id].documents + 1}
	b.mu.Unlock()
	b.progress.Add(1)
	b.follow.Watch(b.Account.Name, id)
}
