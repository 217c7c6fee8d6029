package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// Recover writes the record of an extraction anew that Redis has lost. The vendor is asked
// for it first where the document store says that it was sent. It returns store.ErrExists
// where there is a record by now.
func (c *Client) Recover(ctx context.Context, a store.Accepted) (extraction.Extraction, error) {
	var b Begun
	if len(a.Begun) > 0 {
		if err := json.Unmarshal(a.Begun, &b); err != nil {
			return extraction.Extraction{}, fmt.Errorf("recover %s: %w", a.ID, err)
		}
	}
	sent, err := c.cfg.Blobs.Sent(ctx, a.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return extraction.Extraction{}, fmt.Errorf("recover %s: %w", a.ID, err)
	}
	if err == nil {
		b = begunBy(sent, b.RetryOf)
	}
	how := b.creation()
	how.Change.Attempts(sent.Attempt)
	how.Token, how.Key, how.Fingerprint = store.NewToken(), a.Key, a.Fingerprint
	if a.VendorID != "" {
		how.VendorID = a.VendorID
	}
	r, err := c.records.Create(ctx, a.Input, how)
	if err != nil {
		return extraction.Extraction{}, err
	}
	c.enqueue(ctx, r)
	return r.Extraction(), nil
}

// begunBy is where a submission stands of which the document store knows.
func begunBy(sent store.Sent, retryOf string) Begun {
	b := Begun{RetryOf: retryOf, VendorID: sent.VendorID, UploadExpires: sent.UploadExpires.Time}
	switch {
	case sent.VendorID == "":
		b.SentAt = sent.At.Time
	case sent.UploadExpires.IsZero(): // The vendor has answered.
		b.SubmittedAt = sent.At.Time
	}
	return b
}
