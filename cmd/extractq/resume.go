package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// resumption is what is to be done about a document that an earlier run may
// have begun.
type resumption int

const (
	submitIt  resumption = iota // It must be submitted.
	resumeIt                    // Its extraction is made again from the journal.
	followIt                    // Its extraction is watched.
	settledIt                   // It is counted; nothing is to be done.
	repeatIt                    // It must be repeated as a new extraction.
	fetchIt                     // Its result must be fetched again, by a new extraction that submits nothing.
)

// resume looks for what an earlier run began for the document. Where it must be
// submitted, id is journalled for it; the entry has the name of its result.
func (b *backfill) resume(ctx context.Context, d *documents.Document, id string) (entry, progressed, resumption, error) {
	want, err := b.wantedEntry(d)
	if err != nil {
		return entry{}, progressed{}, settledIt, err
	}
	old, done, ok, err := b.journal.Find(want)
	if err == nil && !ok {
		old, done, ok, err = b.recover(ctx, d, want)
	}
	if err != nil {
		return entry{}, progressed{}, settledIt, err
	}
	if ok {
		what, err := b.takeUp(ctx, old, done)
		want.Name = old.Name
		switch {
		case err == nil && what == repeatIt:
			return b.repeat(ctx, want, d.WholeName(), old, done, id)
		case err == nil && what == fetchIt:
			return b.fetch(want, d.WholeName(), old, id)
		case err != nil || what != submitIt:
			return old, done, what, err
		}
	}
	want.ID = id
	want, err = b.journal.Begin(want, d.WholeName())
	return want, progressed{}, submitIt, err
}

// wantedEntry is the journal's entry for a document, without its extraction.
func (b *backfill) wantedEntry(d *documents.Document) (entry, error) {
	digest, err := d.Digest()
	if err != nil {
		return entry{}, err
	}
	place, err := d.Identity()
	if err != nil {
		return entry{}, documents.Unreadable{Err: documents.Cause(err)}
	}
	return entry{Name: d.Name, Path: place, SHA256: digest, Question: b.question(), Shared: b.Redis.URL != ""}, nil
}

// question is a digest of everything that is asked of each document.
func (b *backfill) question() string {
	return b.questionOf(asked{
		b.account.Name, b.template.Type, b.template.ConfigName, b.template.Environment, b.template.Customer,
		b.template.Types, b.template.Options,
	})
}

// asked is everything that is asked of a document.
type asked struct {
	Account, Type, ConfigName, Environment, Customer string
	Types                                            []string
	Options                                          map[string]any
}

// questionOf is the digest of a question; no types and no options are as this run has them.
func (b *backfill) questionOf(q asked) string {
	if len(q.Types) == 0 && len(b.template.Types) == 0 {
		q.Types = b.template.Types
	}
	if len(q.Options) == 0 && len(b.template.Options) == 0 {
		q.Options = b.template.Options
	}
	body, err := json.Marshal(q)
	if err != nil {
		panic(err) // Strings always encode.
	}
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:8])
}

// takeUp goes on with an earlier run's extraction.
func (b *backfill) takeUp(ctx context.Context, old entry, done progressed) (resumption, error) {
	r, err := b.Records.Get(ctx, b.account.Name, old.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return settledIt, errkind.MarkUnavailable(err)
	}
	if err == nil {
		switch what := ending(b.resultFile(old.Name), old, done); {
		case r.Status.Final() && r.Status != extraction.StatusSuccess && b.retryFailed:
			return repeatIt, nil
		case r.Status.Final() && (what == endedWell || what == endedBadly):
			b.outbox.Add(r, old.Name)
			return settledIt, b.settled(old)
		case r.Status == extraction.StatusSuccess: // Its result may be damaged or gone, then it is fetched again.
			_, err := b.Client.Retry(ctx, r.Account, r.ID, false)
			if err != nil && !errors.Is(err, intake.ErrSucceeded) && !errors.Is(err, store.ErrNotFound) {
				return settledIt, errkind.MarkUnavailable(err)
			}
		}
		b.journal.Resume(done)
		b.watch(old.ID, old.Name)
		return followIt, nil
	}
	// The record is gone: after its retention, or with a Redis in memory, or
	// because a crash fell between the journal and the record.
	what := ending(b.resultFile(old.Name), old, done)
	switch what {
	case endedWell:
		return settledIt, b.settled(old)
	case withoutResult:
		if b.sandboxed { // That vendor has ended with its run.
			return submitIt, nil
		}
		return fetchIt, nil
	case endedBadly, unknowable:
		switch {
		case b.sandboxed, what == unknowable && b.retryFailed:
			return submitIt, nil // There is nothing to ask the vendor for.
		case b.retryFailed:
			return repeatIt, nil
		}
		return settledIt, b.settled(old)
	case atVendor:
		if b.sandboxed { // That vendor has ended with its run.
			return submitIt, nil
		}
		return b.resumable(ctx, old)
	case neverSent:
		return b.unsent(ctx, old)
	}
	return submitIt, nil
}

// repeat journals the repetition of what an earlier run ended without
// SUCCESS, as retry makes it: the vendor is asked first where it may have the old one.
func (b *backfill) repeat(
	ctx context.Context, want entry, whole string, old entry, done progressed, id string,
) (entry, progressed, resumption, error) {
	r, err := b.Records.Get(ctx, b.account.Name, old.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		r = b.past(old, done)
	case err != nil:
		return old, done, settledIt, errkind.MarkUnavailable(err)
	default: // Only one repeats it; this goes on with what another began.
		if id, err = b.claim(ctx, r, id); err != nil {
			return old, done, settledIt, errkind.MarkUnavailable(err)
		}
	}
	want.ID = id
	p := progressOf(id, intake.Repeats(r))
	want, err = b.journal.Repeat(want, whole, p)
	return want, p, resumeIt, err
}

// fetch journals the extraction that fetches the result of one whose record is gone. It
// follows what the vendor had: nothing is submitted.
func (b *backfill) fetch(want entry, whole string, old entry, id string) (entry, progressed, resumption, error) {
	lost, _ := readResult(b.resultFile(old.Name))
	at := lost.SubmittedAt
	if at.IsZero() {
		at = lost.FinishedAt
	}
	want.ID = id
	p := progressOf(id, intake.Begun{VendorID: string(lost.Vendor.ID), SubmittedAt: at.Time, RetryOf: old.ID})
	want, err := b.journal.Repeat(want, whole, p)
	return want, p, resumeIt, err
}

// claim is the id of the repetition of r: the proposed one, unless there is one that
// was not erased since.
func (b *backfill) claim(ctx context.Context, r store.Record, proposed string) (string, error) {
	id, err := b.Records.ClaimRetry(ctx, r.Input, proposed)
	if err != nil || id == proposed {
		return id, err
	}
	if erased, err := b.Records.Erased(ctx, r.Account, id); err != nil || erased {
		return proposed, err
	}
	return id, nil
}

// past is what the journal and the result tell of an extraction whose record is gone.
func (b *backfill) past(old entry, done progressed) store.Record {
	r := store.Record{Input: store.Input{ID: old.ID}}
	r.VendorID, r.SentAt, r.UploadExpires, r.Sought = done.VendorID, done.SentAt, done.UploadExpires, done.Sought
	if r.SentAt.IsZero() {
		r.SentAt = done.SubmittedAt
	}
	if e, ok := readResult(b.resultFile(old.Name)); ok && e.ID == old.ID {
		r.Status, r.Failure = e.Status, e.Error
		if r.VendorID == "" {
			r.VendorID = string(e.Vendor.ID)
		}
		if e.LastError != nil && e.LastError.OverAt.IsZero() {
			r.PollErrors = 1 // Its end was no word of the vendor's.
		}
	}
	return r
}

// resumable goes on with what a run had at the vendor, unless it was erased
// since.
func (b *backfill) resumable(ctx context.Context, old entry) (resumption, error) {
	erased, err := b.Records.Erased(ctx, b.account.Name, old.ID)
	switch {
	case err != nil:
		return settledIt, errkind.MarkUnavailable(err)
	case !erased:
		return resumeIt, nil
	case b.retryFailed:
		return submitIt, nil
	}
	b.shown.Skip(render.Failed)
	b.fail(old.Name, extraction.CodeCanceled, errors.New("its extraction was erased; --retry-failed submits it again"))
	return settledIt, nil
}

// settled counts, names and prints a document as an earlier run ended it.
func (b *backfill) settled(old entry) error {
	read := readResult
	if b.prints() {
		read = readWhole
	}
	e, ok := read(b.resultFile(old.Name))
	if !ok || e.ID != old.ID {
		b.shown.Skip(render.Failed)
		b.fail(old.Name, extraction.CodeSubmitUncertain, errors.New(
			"an earlier run may have submitted it, and its state is gone: name the same Redis, or submit again with --retry-failed"))
		return nil
	}
	b.shown.Skip(render.TallyOf(e))
	if e.Error != nil {
		b.fail(old.Name, e.Error.Code, errors.New(render.FailureText(e.Error)))
	}
	return b.print.Print(e)
}

// oldState is what the journal and the results tell of a document that Redis knows
// nothing of.
type oldState int

const (
	neverSent  oldState = iota // Nothing of it has reached the vendor.
	atVendor                   // The vendor has it, or may have, and can be asked.
	unknowable                 // Another process may have submitted it.
	endedWell
	withoutResult // SUCCESS, but its result was damaged or gone.
	endedBadly
)

// ending finds out what became of an old entry.
func ending(file string, old entry, done progressed) oldState {
	e, ok := readResult(file)
	switch ended := ok && e.ID == old.ID; {
	case ended && e.Status == extraction.StatusSuccess && e.Error == nil:
		return endedWell
	case ended && e.Status == extraction.StatusSuccess && e.Vendor.ID != "":
		return withoutResult
	case ended && e.Error != nil:
		return endedBadly
	case done.VendorID != "", !done.SentAt.IsZero(), done.Sought != "":
		return atVendor
	case old.Shared && done.Accepted:
		return unknowable
	}
	return neverSent
}
