package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

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

// Sent is a submission whose last byte may have been let go. An attempt claims it before
// that byte, and after the record's own entry: a record without one has forgotten it. It is
// dropped where the submission surely came to nothing, before the record says so.
type Sent struct {
	// Token names the attempt.
	Token string `json:"token,omitempty"`
	// Attempt is the record's count of submissions, this one included.
	Attempt int             `json:"attempt"`
	At      extraction.Time `json:"at"`
	// VendorID and UploadExpires are of a submission in two steps.
	VendorID      string          `json:"vendor_id,omitempty"`
	UploadExpires extraction.Time `json:"upload_expires,omitzero"`
}

// ClaimSent writes it unless the claim of another attempt is there, and returns the claim
// that is there, once that is durable. Where Redis has gone back in time, several attempts
// may each take themselves for the only one: the one whose claim is there goes on.
func (b *Blobs) ClaimSent(ctx context.Context, id string, s Sent) (Sent, error) {
	body, err := json.Marshal(s)
	created := false
	if err == nil {
		created, err = b.create(ctx, sentKey(id), bytes.NewReader(body))
	}
	if err == nil && !created {
		s, err = b.Sent(ctx, id)
	}
	if err != nil {
		return Sent{}, fmt.Errorf("claim what is sent: %w", err)
	}
	return s, nil
}

// DropSent removes the claim of an attempt that surely came to nothing, and no other one.
func (b *Blobs) DropSent(ctx context.Context, id string, s Sent) error {
	there, err := b.Sent(ctx, id)
	if err == nil && there.Token == s.Token && there.VendorID == s.VendorID && there.At.Millis() == s.At.Millis() {
		err = b.remove(ctx, sentKey(id))
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("drop what was sent: %w", err)
	}
	return nil
}

// PutSent completes the caller's own claim and returns once it is durable.
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

// Sent reads the present claim, or returns ErrNotFound.
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

// Accepted reads what was accepted under an id, or returns ErrNotFound.
func (b *Blobs) Accepted(ctx context.Context, id string) (Accepted, error) {
	var a Accepted
	err := b.readJSON(ctx, acceptedKey(id), &a)
	return a, err
}

// keyBlob is the blob that names the extraction of an idempotency key's digest: Redis may
// forget it, and the producer repeat the request.
func keyBlob(account, key string) string { return keysFolder + "/" + account + "." + key }

const keysFolder = "keys"

// PutKey names the extraction that a request with an idempotency key becomes, and returns
// once that is durable.
func (b *Blobs) PutKey(ctx context.Context, account, key, id string) error {
	if err := b.put(ctx, keyBlob(account, key), strings.NewReader(id)); err != nil {
		return fmt.Errorf("store idempotency key: %w", err)
	}
	return nil
}

// AcceptedAs reads what was accepted with an idempotency key, or returns ErrNotFound.
func (b *Blobs) AcceptedAs(ctx context.Context, account, key string) (Accepted, error) {
	id, err := b.read(ctx, keyBlob(account, key))
	if err != nil {
		return Accepted{}, fmt.Errorf("read idempotency key: %w", b.named(ctx, err))
	}
	return b.Accepted(ctx, string(id))
}

// deleteKey removes an extraction's idempotency key, unless another extraction has it by now.
func (b *Blobs) deleteKey(ctx context.Context, id string) error {
	a, err := b.Accepted(ctx, id)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) || err == nil && a.Key == "" {
		return nil
	}
	if err != nil {
		return err
	}
	has, err := b.read(ctx, keyBlob(a.Account, a.Key))
	if err != nil && !errors.Is(b.named(ctx, err), ErrNotFound) {
		return fmt.Errorf("read idempotency key: %w", err)
	}
	if string(has) != id {
		return nil
	}
	err = b.remove(ctx, keyBlob(a.Account, a.Key))
	b.removeFolder(keysFolder)
	return err
}

// DeleteAccepted takes back what was not accepted after all.
func (b *Blobs) DeleteAccepted(ctx context.Context, id string) error {
	return b.remove(ctx, acceptedKey(id))
}

func (b *Blobs) readJSON(ctx context.Context, key string, into any) error {
	body, err := b.read(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, b.named(ctx, err))
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
// other; its error ends the search. One whose note is damaged is ErrDamaged, after all
// others. A Redis in memory forgets by design, and loses nothing.
func (s *Records) Lost(ctx context.Context, b *Blobs, age time.Duration, each func(Accepted) error) error {
	if there, err := b.identity(ctx); err != nil || there.Volatile {
		return err
	}
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
	flush := func() error {
		err := s.lostOf(ctx, b, accounts, page, each)
		page = page[:0]
		if errors.Is(err, ErrDamaged) {
			damaged, err = errors.Join(damaged, err), nil
		}
		return err
	}
	for o, err := range b.bucket.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		if id, part, ok := extractionOf(o.Key); ok && part == acceptedPart && now.Sub(o.ModTime) >= age {
			page = append(page, id)
		}
		if len(page) >= unreferencedPage {
			if err := flush(); err != nil {
				return errors.Join(err, damaged)
			}
		}
	}
	err = flush()
	return errors.Join(err, damaged)
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
		a, err := b.Accepted(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			continue // Erased meanwhile.
		case errors.Is(err, ErrDamaged):
			damaged = errors.Join(damaged, err)
			continue
		}
		lost := false
		if err == nil {
			lost, err = s.Forgotten(ctx, a.Account, id) // The list of accounts may be lost too.
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

// Forgotten reports whether Redis has neither a record nor a tombstone of an extraction.
func (s *Records) Forgotten(ctx context.Context, account, id string) (bool, error) {
	_, err := s.Get(ctx, account, id)
	if !errors.Is(err, ErrNotFound) {
		return false, err
	}
	erased, err := s.Erased(ctx, account, id)
	return !erased && err == nil, err
}

// Server names the run of the Redis server that answers: another one after a restart or a
// failover.
func (s *Records) Server(ctx context.Context) (string, error) {
	// As a script it goes to the node of a cluster that has the key.
	info, err := serverScript.Run(ctx, s.rdb, []string{metaKey}).Text()
	if err != nil {
		return "", fmt.Errorf("ask which Redis answers: %w", err)
	}
	_, id, _ := strings.Cut(info, "run_id:")
	id, _, _ = strings.Cut(id, "\r")
	return id, nil
}

var serverScript = redis.NewScript("return redis.call('INFO', 'server')")
