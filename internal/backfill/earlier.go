package backfill

import (
	"errors"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/backfill/results"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// state is what became of a document in earlier runs, by the journal and the results.
type state int

const (
	stateNeverSent state = iota // Nothing was sent to the vendor.
	stateAtVendor               // The vendor has it, or may have, and can be asked.
	stateAmbiguous              // Another process may have submitted it.
	stateSucceeded
	stateResultMissing // SUCCESS, but its result was damaged or gone.
	stateFailed
)

// stateOf returns the state of an entry whose result is in file.
func stateOf(file string, old journal.Entry, done journal.Progress) state {
	e, ok := results.Read(file)
	switch ended := ok && e.ID == old.ID; {
	case ended && e.Status == extraction.StatusSuccess && e.Error == nil:
		return stateSucceeded
	case ended && e.Status == extraction.StatusSuccess && e.Vendor.ID != "":
		return stateResultMissing
	case ended && e.Error != nil:
		return stateFailed
	case done.VendorID != "", !done.SentAt.IsZero(), done.Sought != "":
		return stateAtVendor
	case old.Shared && done.Accepted:
		return stateAmbiguous
	}
	return stateNeverSent
}

// reconstructed is as much of a record that is gone as the journal and the result have.
func (b *Backfill) reconstructed(old journal.Entry, done journal.Progress) store.Record {
	r := store.Record{Input: store.Input{ID: old.ID}}
	r.VendorID, r.SentAt, r.UploadExpires, r.Sought = done.VendorID, done.SentAt, done.UploadExpires, done.Sought
	if r.SentAt.IsZero() {
		r.SentAt = done.SubmittedAt
	}
	if e, ok := results.Read(b.resultFile(old.Name)); ok && e.ID == old.ID {
		r.Status, r.Failure = e.Status, e.Error
		if r.VendorID == "" {
			r.VendorID = string(e.Vendor.ID)
		}
		if e.LastError != nil && e.LastError.OverAt.IsZero() {
			r.PollErrors = 1 // The vendor did not say that it ended.
		}
	}
	return r
}

// reportEarlier counts, names and prints a document that an earlier run ended.
func (b *Backfill) reportEarlier(old journal.Entry) error {
	read := results.Read
	if b.Print != nil {
		read = results.ReadWhole
	}
	e, ok := read(b.resultFile(old.Name))
	if !ok || e.ID != old.ID {
		b.progress.Skip(render.Tally{Code: extraction.CodeSubmitUncertain})
		b.fail(old.Name, extraction.CodeSubmitUncertain, errors.New(
			"an earlier run may have submitted it, and its state is gone: name the same Redis, or submit again with --retry-failed"))
		return nil
	}
	b.progress.Skip(render.TallyOf(e))
	if e.Error != nil {
		b.fail(old.Name, e.Error.Code, errors.New(render.FailureText(e.Error)))
	}
	return b.printer.Print(e)
}
