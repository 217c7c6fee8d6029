package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"

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
// submitted, id is journalled for it.
func (b *backfill) resume(ctx context.Context, d source, f io.Reader, id string) (resumption, error) {
	digest := sha256.New()
	if _, err := io.Copy(digest, f); err != nil {
		return settledIt, cause(err)
	}
	want := entry{
		Name: d.name, SHA256: hex.EncodeToString(digest.Sum(nil)), Account: b.account.Name,
		Type: b.template.Type + strings.Join(b.template.Types, ","),
	}
	if old, ok := b.journal.Find(want); ok {
		found, err := b.takeUp(ctx, d, old)
		if err != nil || found != submitIt {
			return found, err
		}
	}
	want.ID, want.Volatile = id, !b.persistent
	return submitIt, b.journal.Add(want)
}

// takeUp goes on with an earlier run's extraction.
func (b *backfill) takeUp(ctx context.Context, d source, old entry) (resumption, error) {
	r, err := b.records.Get(ctx, b.account.Name, old.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return settledIt, unavailable(err)
	}
	if err == nil {
		switch {
		case r.Status == extraction.StatusSuccess && b.written(d.name, old.ID):
			b.shown.Skip(extraction.StatusSuccess)
			return settledIt, nil
		case r.Status.Final() && r.Status != extraction.StatusSuccess && b.retryFailed:
			return submitIt, nil
		}
		b.watch(old.ID, d.name) // A final one is told of at once.
		return followIt, nil
	}
	// The record is gone: after its retention, or with a Redis in memory, or
	// because a crash fell between the journal and the record.
	e, ok := readResult(b.resultFile(d.name))
	switch {
	case ok && e.ID == old.ID && e.Status == extraction.StatusSuccess:
		b.shown.Skip(extraction.StatusSuccess)
		return settledIt, nil
	case b.retryFailed, b.ephemeral:
		return submitIt, nil
	case ok && e.ID == old.ID && e.Error != nil:
		b.shown.Skip(e.Status)
		b.fail(d.name, e.Error.Code, errors.New(e.Error.Message))
		return settledIt, nil
	case old.Volatile:
		b.shown.Skip(extraction.StatusError)
		b.fail(d.name, extraction.CodeSubmitUncertain, errors.New(
			"an earlier run that kept its state in memory may have submitted it; --retry-failed submits it again"))
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
func (b *backfill) void(name string) error {
	if b.journal == nil {
		return nil
	}
	return b.journal.Add(entry{Name: name})
}
