package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// Recover writes the record of an extraction anew that Redis has lost, and enqueues its
// task; see Recover.
func (c *Client) Recover(ctx context.Context, a store.Accepted) (extraction.Extraction, error) {
	r, err := Recover(ctx, c.records, c.cfg.Blobs, a)
	if err != nil {
		return extraction.Extraction{}, err
	}
	return c.begin(ctx, r)
}

// Recover writes the record of an extraction anew that Redis has lost. The vendor is asked
// for it first where the document store says that it was sent. It returns store.ErrExists
// where there is a record by now, and store.ErrFollowed where another extraction has taken
// its vendor id.
func Recover(ctx context.Context, records *store.Records, blobs *store.Blobs, a store.Accepted) (store.Record, error) {
	var b Begun
	if len(a.Begun) > 0 {
		if err := json.Unmarshal(a.Begun, &b); err != nil {
			return store.Record{}, fmt.Errorf("recover %s: %w", a.ID, err)
		}
	}
	sent, err := blobs.Sent(ctx, a.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Record{}, fmt.Errorf("recover %s: %w", a.ID, err)
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
	r, err := records.Create(ctx, a.Input, how)
	if _, repeated := errors.AsType[*store.RepeatedError](err); repeated {
		// Its producer has repeated the request since, and the key is that extraction's.
		how.Key, how.Fingerprint = "", ""
		r, err = records.Create(ctx, a.Input, how)
	}
	return r, err
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
