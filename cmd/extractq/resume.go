package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// resumption is what is to be done about a document that an earlier run may
// have begun.
type resumption int

const (
	submitIt  resumption = iota // It must be submitted.
	followIt                    // Its extraction is watched.
	settledIt                   // It is counted; nothing is to be done.
)

// resume looks for what an earlier run began for the document. Where it must be
// submitted, id is journalled for it; the entry has the name of its result.
func (b *backfill) resume(ctx context.Context, d *opened, id string) (entry, resumption, error) {
	digest, err := d.Digest()
	if err != nil {
		return entry{}, settledIt, err
	}
	place, err := d.place()
	if err != nil {
		return entry{}, settledIt, cause(err)
	}
	want := entry{
		Name: d.name, Path: place, SHA256: digest,
		Question: b.question(), ID: id, Volatile: !b.persistent,
	}
	if old, ok := b.journal.Find(want); ok {
		found, err := b.takeUp(ctx, old)
		if err != nil || found != submitIt {
			return old, found, err
		}
		want.Name = old.Name
	}
	want, err = b.journal.Begin(want, d.wholeName())
	return want, submitIt, err
}

// question is a digest of everything that is asked of each document.
func (b *backfill) question() string {
	body, err := json.Marshal(struct {
		Account, Type, ConfigName, Environment, Customer string
		Types                                            []string
		Options                                          map[string]any
	}{
		b.account.Name, b.template.Type, b.template.ConfigName, b.template.Environment, b.template.Customer,
		b.template.Types, b.template.Options,
	})
	if err != nil {
		panic(err) // Strings always encode.
	}
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:8])
}

// takeUp goes on with an earlier run's extraction.
func (b *backfill) takeUp(ctx context.Context, old entry) (resumption, error) {
	r, err := b.records.Get(ctx, b.account.Name, old.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return settledIt, unavailable(err)
	}
	if err == nil {
		switch {
		case r.Status == extraction.StatusSuccess && b.written(old.Name, old.ID):
			b.shown.Skip(extraction.StatusSuccess)
			return settledIt, nil
		case r.Status.Final() && r.Status != extraction.StatusSuccess && b.retryFailed:
			return submitIt, nil
		}
		b.watch(old.ID, old.Name) // A final one is told of at once.
		return followIt, nil
	}
	// The record is gone: after its retention, or with a Redis in memory, or
	// because a crash fell between the journal and the record.
	e, ok := readResult(b.resultFile(old.Name))
	switch {
	case ok && e.ID == old.ID && e.Status == extraction.StatusSuccess:
		b.shown.Skip(extraction.StatusSuccess)
		return settledIt, nil
	case b.retryFailed, b.ephemeral:
		return submitIt, nil
	case ok && e.ID == old.ID && e.Error != nil:
		b.shown.Skip(e.Status)
		b.fail(old.Name, e.Error.Code, errors.New(failureText(e.Error)))
		return settledIt, nil
	case old.Volatile, old.Accepted:
		b.shown.Skip(extraction.StatusError)
		b.fail(old.Name, extraction.CodeSubmitUncertain, errors.New(
			"an earlier run may have submitted it, and its state is gone: name the same Redis, or submit again with --retry-failed"))
		return settledIt, nil
	}
	return submitIt, nil
}

// written reports whether the result of this very extraction has been written.
func (b *backfill) written(name, id string) bool {
	e, ok := readResult(b.resultFile(name))
	return ok && e.ID == id && e.Status == extraction.StatusSuccess
}

// void takes back the journal's entry for a document that was refused.
func (b *backfill) void(e entry) error {
	if b.journal == nil {
		return nil
	}
	e.ID = ""
	return b.journal.Note(e)
}
