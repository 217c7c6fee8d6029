package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// Retry repeats an extraction that did not end with SUCCESS, as a new one. The
// new one asks the vendor first where the old one may have arrived after all, and
// takes a result over; with resubmit it is submitted in any case. A call that was
// interrupted is completed by the next one.
//
// A SUCCESS whose stored result is damaged or gone is returned itself, under the same id:
// a worker fetches its result from the vendor again, and nothing is submitted.
//
// Retry returns ErrNotFinal, ErrSucceeded, ErrRetried or ErrDocumentGone where there is
// nothing to do.
func (c *Client) Retry(ctx context.Context, account, id string, resubmit bool) (extraction.Extraction, error) {
	old, err := c.records.Get(ctx, account, id)
	if err != nil {
		return extraction.Extraction{}, err
	}
	if err := c.Retryable(ctx, old); err != nil {
		return extraction.Extraction{}, err
	}
	if old.Status == extraction.StatusSuccess {
		return c.refetch(ctx, old)
	}
	in := old.Input
	in.RetryOf = id
	if in.ID, err = c.records.ClaimRetry(ctx, old.Input, store.RetryID(id)); err != nil {
		return extraction.Extraction{}, err
	}
	if old.Document.Bytes != nil {
		if err := c.cfg.Blobs.CopyDocument(ctx, id, in.ID); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				err = fmt.Errorf("retry %s: %w", id, ErrDocumentGone)
			}
			return extraction.Extraction{}, err
		}
	}
	begun := Repeats(old)
	if resubmit {
		begun = Begun{}
	}
	r, err := c.create(ctx, in, store.Creation{Token: store.NewToken(), Change: begun.change()}, begun, true)
	if errors.Is(err, store.ErrErased) {
		_ = c.cfg.Blobs.Delete(ctx, in.ID) // No record names it.
	}
	if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrErased) {
		return extraction.Extraction{}, fmt.Errorf("retry %s: %w, by %s", id, ErrRetried, in.ID)
	}
	if err != nil {
		return extraction.Extraction{}, err
	}
	return c.begin(ctx, r)
}

// Retryable returns nil if Retry would repeat the extraction, or fetch its result.
func (c *Client) Retryable(ctx context.Context, old store.Record) error {
	var why error
	switch {
	case !old.Status.Final():
		why = ErrNotFinal
	case old.Status == extraction.StatusSuccess:
		return c.unreadable(ctx, old)
	case old.RetriedBy != "":
		// A repetition that was claimed and never written is completed; one that
		// was deleted since stays away.
		err := c.free(ctx, Submission{Account: old.Account, ID: old.RetriedBy})
		if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrErased) {
			why = fmt.Errorf("%w, by %s", ErrRetried, old.RetriedBy)
		} else if err != nil {
			return err
		}
	}
	if why == nil && old.Document.URL == "" {
		has, err := c.cfg.Blobs.HasDocument(ctx, old.ID)
		if err != nil {
			return err
		}
		if !has {
			why = ErrDocumentGone
		}
	}
	if why != nil {
		return fmt.Errorf("retry %s: %w", old.ID, why)
	}
	return nil
}

// mayHaveArrived reports whether the vendor may have, or yet finish, what ended here: it
// was sent, or looked for, and the end was not the vendor's own.
func mayHaveArrived(old store.Record) bool {
	has := old.VendorID != "" || !old.SentAt.IsZero()
	switch {
	case old.Sought != "": // A repetition that never got an answer about the one before.
		return true
	case old.Status == extraction.StatusCanceled:
		return has
	case old.Failure == nil:
		return false
	}
	code := old.Failure.Code
	if code == extraction.CodeVendorFailed { // The vendor's word, unless the last calls failed.
		return has && (old.PollErrors > 0 || old.SubmitErrors > 0)
	}
	if code == extraction.CodeResultTooLarge || code == extraction.CodeInternal { // It has finished, if it got that far.
		return has
	}
	return code == extraction.CodeDeadlineExceeded || code == extraction.CodeSubmitUncertain
}
