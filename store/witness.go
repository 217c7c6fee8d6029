package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/extractq/extractq/extraction"
)

// What Redis forgets, the document store knows: it is written with a sync, is shared, and
// does not go back in time with a failover, a lost second or an older snapshot. Two small
// blobs beside each document say what was accepted, and what was paid for. They go with
// the record.

// The last parts of their keys.
const (
	sentPart     = "sent"
	acceptedPart = "accepted.json"
)

func sentKey(id string) string     { return id + "/" + sentPart }
func acceptedKey(id string) string { return id + "/" + acceptedPart }

// Sent is a submission whose last byte was let go. It is written before that byte, and
// after the record's own entry: a record without one has forgotten it.
type Sent struct {
	// Attempt is the record's count of submissions, this one included.
	Attempt int             `json:"attempt"`
	At      extraction.Time `json:"at"`
	// VendorID and UploadExpires are of a submission in two steps.
	VendorID      string          `json:"vendor_id,omitempty"`
	UploadExpires extraction.Time `json:"upload_expires,omitzero"`
}

// PutSent writes it and returns once it is durable.
func (b *Blobs) PutSent(ctx context.Context, id string, s Sent) error {
	body, err := json.Marshal(s)
	if err == nil {
		err = b.put(ctx, sentKey(id), bytes.NewReader(body))
	}
	if err != nil {
		return fmt.Errorf("store what is sent: %w", err)
	}
	return nil
}

// Sent reads what was sent last, or returns ErrNotFound.
func (b *Blobs) Sent(ctx context.Context, id string) (Sent, error) {
	var s Sent
	err := b.readJSON(ctx, sentKey(id), &s)
	return s, err
}

// Accepted is everything that a producer was promised to be carried out.
type Accepted struct {
	Input

	AcceptedAt extraction.Time `json:"accepted_at"`
	// VendorID is the vendor's id of what something else submitted.
	VendorID string `json:"vendor_id,omitempty"`
	// Begun is what is known of a submission that was begun before; null for none. It
	// holds no secret.
	Begun json.RawMessage `json:"begun,omitempty"`
	// Key and Fingerprint are of a request with an idempotency key.
	Key         string `json:"key,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// PutAccepted writes it and returns once it is durable. Where another process may accept
// the same id, once keeps what is there.
func (b *Blobs) PutAccepted(ctx context.Context, a Accepted, once bool) error {
	a.Version = recordVersion
	body, err := json.Marshal(a)
	if err == nil && once {
		_, err = b.create(ctx, acceptedKey(a.ID), bytes.NewReader(body))
	} else if err == nil {
		err = b.put(ctx, acceptedKey(a.ID), bytes.NewReader(body))
	}
	if err != nil {
		return fmt.Errorf("store what is accepted: %w", err)
	}
	return nil
}

// DeleteAccepted takes back what was not accepted after all.
func (b *Blobs) DeleteAccepted(ctx context.Context, id string) error {
	return b.remove(ctx, acceptedKey(id))
}

func (b *Blobs) readJSON(ctx context.Context, key string, into any) error {
	body, err := b.bucket.ReadAll(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, b.named(err))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read %s: %w: %w", key, ErrDamaged, err)
	}
	return nil
}

// AcceptedFor is how long what was accepted may have no record yet.
const AcceptedFor = time.Minute

// Lost are the extractions that were accepted and of which Redis has neither a record nor
// a tombstone: it has gone back in time, or is another one. Those accepted less than age
// ago may have their records written at this moment. each is called for one after the
// other; its error ends the search. One
// whose note is damaged is ErrDamaged, after all others.
func (s *Records) Lost(ctx context.Context, b *Blobs, age time.Duration, each func(Accepted) error) error {
	accounts, err := s.Accounts(ctx)
	if err != nil {
		return err
	}
	now, err := b.now(ctx)
	if err != nil {
		return err
	}
	var page []string
	var damaged error // Is said at the end: one does not keep the others back.
	it := b.bucket.List(nil)
	for {
		o, err := it.Next(ctx)
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return fmt.Errorf("list blobs: %w", err)
		}
		if !ended {
			if id, part, ok := extractionOf(o.Key); ok && part == acceptedPart && now.Sub(o.ModTime) >= age {
				page = append(page, id)
			}
		}
		if ended || len(page) >= unreferencedPage {
			err := s.lostOf(ctx, b, accounts, page, each)
			if errors.Is(err, ErrDamaged) {
				damaged, err = errors.Join(damaged, err), nil
			}
			if err != nil || ended {
				return errors.Join(err, damaged)
			}
			page = page[:0]
		}
	}
}

// lostOf calls each for those of some extractions that are lost.
func (s *Records) lostOf(ctx context.Context, b *Blobs, accounts, ids []string, each func(Accepted) error) error {
	found, err := s.GetAll(ctx, accounts, ids...)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range found {
		known[r.ID] = true
	}
	var damaged error
	for _, id := range ids {
		if known[id] {
			continue
		}
		var a Accepted
		err := b.readJSON(ctx, acceptedKey(id), &a)
		switch {
		case errors.Is(err, ErrNotFound):
			continue // Erased meanwhile.
		case errors.Is(err, ErrDamaged):
			damaged = errors.Join(damaged, err)
			continue
		}
		lost := false
		if err == nil {
			lost, err = s.lost(ctx, a.Input) // The list of accounts may be lost too.
		}
		if err == nil && lost {
			err = each(a)
		}
		if err != nil {
			return err
		}
	}
	return damaged
}

// lost reports whether Redis knows nothing of an extraction.
func (s *Records) lost(ctx context.Context, in Input) (bool, error) {
	_, err := s.Get(ctx, in.Account, in.ID)
	if !errors.Is(err, ErrNotFound) {
		return false, err
	}
	erased, err := s.Erased(ctx, in.Account, in.ID)
	return !erased, err
}
