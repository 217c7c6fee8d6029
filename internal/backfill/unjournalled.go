package backfill

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/store"
)

// unjournalled are the extractions that earlier runs with the same --out have begun and the
// journal does not name, because lines of it were damaged, cut off, or deleted. Each is found
// once.
type unjournalled struct {
	mu sync.Mutex
	// indexed reports that the other fields are filled. That waits for the first document that
	// the journal does not have.
	indexed bool
	// records are the ids of those that Redis has, by documentKey, the latest first.
	records map[documents.Hash][]string
	// kept are the ids of those of which only the document is left, by its SHA-256.
	kept map[string][]string
	// others says that the journal names extractions with other requests.
	others bool
	taken  map[string]struct{}
}

// documentKey identifies a document without the journal: by its bytes, its request and its own
// name.
func documentKey(sum, request, name string) documents.Hash {
	return documents.HashOf(sum + "\x00" + request + "\x00" + name)
}

// take marks an id as found, and reports whether it is new.
func (u *unjournalled) take(id string) bool {
	if _, taken := u.taken[id]; taken {
		return false
	}
	if u.taken == nil {
		u.taken = map[string]struct{}{}
	}
	u.taken[id] = struct{}{}
	return true
}

// first takes the first of some ids that was not found before.
func (u *unjournalled) first(ids []string) (string, bool) {
	i := slices.IndexFunc(ids, u.take)
	if i < 0 {
		return "", false
	}
	return ids[i], true
}

// findUnjournalled finds what an earlier run began for a document that the journal does not
// have, so that it is not paid for again, and journals it. It goes by the result, by the record
// in Redis, or by the document in the store.
func (b *Backfill) findUnjournalled(ctx context.Context, d *documents.Document, want journal.Entry) (journal.Entry, journal.Progress, bool, error) {
	u := &b.unjournalled
	name, result, written := b.existingResult(ctx, d, want)
	u.mu.Lock()
	defer u.mu.Unlock()
	if written && result.Status == extraction.StatusSuccess && u.take(result.ID) {
		return b.journalResult(want, name, result)
	}
	if err := b.index(ctx); err != nil {
		return journal.Entry{}, journal.Progress{}, false, err
	}
	if id, ok := u.first(u.records[documentKey(want.SHA256, want.Request, d.FileName())]); ok {
		return b.journalAgain(want, d.WholeName(), id, true)
	}
	if written && u.take(result.ID) { // It ended badly, and nothing newer is known.
		return b.journalResult(want, name, result)
	}
	if id, ok := u.first(u.kept[want.SHA256]); ok {
		want.Shared = true // What became of it can only be guessed.
		return b.journalAgain(want, d.WholeName(), id, !u.others)
	}
	return journal.Entry{}, journal.Progress{}, false, nil
}

// journalResult journals an extraction that has a result.
func (b *Backfill) journalResult(want journal.Entry, name string, e extraction.Extraction) (journal.Entry, journal.Progress, bool, error) {
	want.Name, want.ID = name, e.ID
	done, err := b.journal.Progress(e.ID)
	done.Accepted = true
	if err == nil {
		err = b.journal.Adopt(want, done)
	}
	return want, done, err == nil, err
}

// journalAgain journals an extraction that has no result yet. same says that the progress in
// the journal belongs to the same request.
func (b *Backfill) journalAgain(want journal.Entry, whole, id string, same bool) (journal.Entry, journal.Progress, bool, error) {
	want.ID = id
	done, err := b.journal.Progress(id)
	if !same {
		done = journal.Progress{ID: id}
	}
	done.Accepted = true
	if err == nil {
		want, err = b.journal.Repeat(want, whole, done)
	}
	return want, done, err == nil, err
}

// index fills b.unjournalled, once.
func (b *Backfill) index(ctx context.Context) error {
	u := &b.unjournalled
	if u.indexed {
		return nil
	}
	named, others, err := b.journal.IDs(b.requestDigest())
	if err != nil {
		return err
	}
	var unnamed []string
	known := map[documents.Hash]struct{}{}
	for id, err := range b.idsOfRun(ctx) {
		if err != nil {
			return errkind.MarkUnavailable(err)
		}
		known[documents.HashOf(id)] = struct{}{}
		if _, ok := named[documents.HashOf(id)]; !ok {
			unnamed = append(unnamed, id)
		}
	}
	records, kept := map[documents.Hash][]string{}, map[string][]string{}
	for page := range slices.Chunk(unnamed, 200) {
		found, err := b.Records.GetAll(ctx, []string{b.Account.Name}, page...)
		if err != nil {
			return errkind.MarkUnavailable(err)
		}
		for _, r := range found {
			if r.RetriedBy == "" { // Its repetition is the one that counts.
				key := b.keyOf(r)
				records[key] = append(records[key], r.ID)
			}
		}
	}
	var ids []string
	if b.ownsState() {
		if ids, err = b.Blobs.Documents(ctx); err != nil {
			return errkind.MarkUnavailable(err)
		}
	}
	for _, id := range ids {
		_, inRedis := known[documents.HashOf(id)]
		if _, ok := named[documents.HashOf(id)]; ok || inRedis {
			continue
		}
		sum, err := b.digestOfKept(ctx, id)
		if err != nil {
			return err
		}
		kept[sum] = append(kept[sum], id)
	}
	u.records, u.kept, u.others, u.indexed = records, kept, others, true
	return nil
}

// keyOf is the documentKey of a record.
func (b *Backfill) keyOf(r store.Record) documents.Hash {
	sum := string(r.Document.SHA256)
	if r.Document.URL != "" {
		sum = "url " + documents.URLDigest(string(r.Document.URL))
	}
	return documentKey(sum, b.digestOf(request{
		r.Account, r.Type, r.ConfigName, r.Environment, r.Customer, r.Types, r.Options,
	}), r.Document.Name)
}

// digestOfKept is the SHA-256 of a document in the store; empty if it is gone meanwhile.
func (b *Backfill) digestOfKept(ctx context.Context, id string) (string, error) {
	kept, err := b.Blobs.OpenDocument(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", errkind.MarkUnavailable(err)
	}
	defer func() { _ = kept.Close() }()
	got, err := store.Digest(io.Discard, kept, 0)
	if err != nil {
		return "", errkind.MarkUnavailable(err)
	}
	return got.SHA256, nil
}
