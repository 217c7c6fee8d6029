package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

var (
	// ErrReceiving is returned while a request with the same idempotency key is being
	// received.
	ErrReceiving = errors.New("a request with this idempotency key is being received")
	// ErrKeyReused is returned where the idempotency key was used for something else.
	ErrKeyReused = errors.New("the idempotency key was used for another document or other fields")
)

// SubmitOnce is Submit, or with a vendorID Adopt, under an idempotency key: the
// same key, document and fields give the same extraction for as long as it exists,
// and replayed is true then. It returns ErrKeyReused where they differ, and
// ErrReceiving while another request with the key is being received.
func (c *Client) SubmitOnce(
	ctx context.Context, s Submission, vendorID, key string,
) (_ extraction.Extraction, replayed bool, _ error) {
	key = keyDigest(key)
	s, err := c.admit(ctx, s, store.Creation{VendorID: vendorID, Key: key})
	if err != nil {
		return extraction.Extraction{}, false, err
	}
	done, ok, err := c.records.Receive(ctx, s.Account, key)
	if err == nil && !ok {
		err = ErrReceiving
	}
	if err != nil {
		return extraction.Extraction{}, false, err
	}
	defer done()
	if err := c.bind(ctx, s.Account, key); err != nil {
		return extraction.Extraction{}, false, err
	}
	first, err := c.records.Repeated(ctx, s.Account, key)
	if err == nil && first == nil {
		first, err = c.forgotten(ctx, s.Account, key)
	}
	if err != nil {
		return extraction.Extraction{}, false, err
	}
	if first == nil {
		e, err := c.accept(ctx, s, store.Creation{VendorID: vendorID, Key: key}, Begun{})
		lost, ok := errors.AsType[*store.RepeatedError](err)
		if !ok {
			return e, false, err
		}
		// Another process was quicker although the mark of one of them had lapsed.
		return c.replay(ctx, s.Account, lost, lost.Asked)
	}
	in := s.input()
	if in.Document, err = c.digest(s); err != nil {
		return extraction.Extraction{}, false, err
	}
	return c.replay(ctx, s.Account, first, fingerprint(in, vendorID))
}

// forgotten returns the extraction that a key belongs to which Redis does not know: it has
// lost the record, which is written anew, or the process that accepted it died before the
// record was there.
func (c *Client) forgotten(ctx context.Context, account, key string) (*store.RepeatedError, error) {
	a, err := c.cfg.Blobs.AcceptedAs(ctx, account, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	erased, err := c.records.Erased(ctx, account, a.ID)
	if err != nil || erased {
		return nil, err
	}
	if _, err := c.Recover(ctx, a); err != nil && !errors.Is(err, store.ErrExists) {
		return nil, err
	}
	return &store.RepeatedError{ID: a.ID, Fingerprint: a.Fingerprint}, nil
}

// bind is an error where another account has the key: its extraction, or a request
// that may become one.
func (c *Client) bind(ctx context.Context, account, key string) error {
	kept, err := c.kept(ctx, account)
	if err != nil {
		return err
	}
	other, err := c.records.Bind(ctx, account, key, kept.Record)
	if err != nil || other == "" {
		return err
	}
	first, err := c.records.Repeated(ctx, other, key)
	switch {
	case err != nil:
		return err
	case first == nil:
		return ErrReceiving
	}
	return ErrKeyReused
}

// keyDigest is what is kept of an idempotency key.
func keyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// replay returns the extraction that has a key, if the same was asked then.
func (c *Client) replay(
	ctx context.Context, account string, first *store.RepeatedError, print string,
) (extraction.Extraction, bool, error) {
	if print != first.Fingerprint {
		return extraction.Extraction{}, false, ErrKeyReused
	}
	r, err := c.records.Get(ctx, account, first.ID)
	if err == nil {
		err = c.secure(ctx, account, first.ID)
	}
	return r.Extraction(), err == nil, err
}

// digest is keep without keeping anything.
func (c *Client) digest(s Submission) (extraction.Document, error) {
	if s.Document == nil {
		return describe(s, store.Stored{}), nil
	}
	kept, err := store.Digest(io.Discard, s.Document, c.limit(s))
	if err == nil && kept.Bytes == 0 {
		err = ErrEmpty
	}
	return describe(s, kept), err
}

// fingerprint stands for all that is asked: fields and document.
func fingerprint(in store.Input, vendorID string) string {
	in.ID, in.Version, in.RetryOf = "", 0, ""
	if in.Priority == extraction.PriorityNormal {
		in.Priority = "" // It is the same, said or not.
	}
	body, err := json.Marshal(struct {
		In       store.Input
		VendorID string
	}{in, vendorID})
	if err != nil {
		panic(fmt.Sprintf("fingerprint: %v", err)) // What was decoded from JSON has a JSON form.
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
