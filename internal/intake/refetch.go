package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// unreadable returns nil if the result of a SUCCESS is damaged or gone, so that Retry has
// it fetched from the vendor again.
func (c *Client) unreadable(ctx context.Context, old store.Record) error {
	err := c.cfg.Blobs.CheckResult(ctx, old)
	switch {
	case err == nil, old.VendorID == "": // There is nothing to ask the vendor for.
		return fmt.Errorf("retry %s: %w", old.ID, ErrSucceeded)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDamaged):
		return nil
	}
	return err
}

// refetch has a worker fetch the result of a SUCCESS from the vendor again. Asking for it
// twice fetches it once.
func (c *Client) refetch(ctx context.Context, old store.Record) (extraction.Extraction, error) {
	next, err := c.records.Refetch(ctx, old.Input, store.NewToken(), old.ResultSeq)
	switch {
	case err == nil:
		_ = c.queue.Schedule(ctx, old, extraction.StepPoll, next) // Reconcile makes the task otherwise.
	case errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrStale): // Another call was quicker.
	default:
		return extraction.Extraction{}, err
	}
	r, err := c.records.Get(ctx, old.Account, old.ID)
	if err != nil {
		return extraction.Extraction{}, err
	}
	e, err := c.cfg.Blobs.Whole(ctx, r)
	e.Result = nil
	return e, err
}
