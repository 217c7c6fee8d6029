package main

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/store"
)

// lost is what earlier runs with the same --out have begun and the journal does not name:
// lines of it were damaged, cut off, or deleted. It is looked for when the journal knows
// nothing of a document. Each extraction is found once.
type lost struct {
	mu     sync.Mutex
	looked bool
	// records are the ids of those in this run's own Redis, by what lostKey makes of them,
	// the latest first.
	records map[documents.Hash][]string
	// kept are the ids of those of which only the document is left, by its digest.
	kept map[string][]string
	// others says that some of what the journal names was asked another question.
	others bool
	taken  map[string]struct{}
}

// lostKey is what a document is known by without the journal: its bytes, what was asked,
// and its own name.
func lostKey(sum, question, name string) documents.Hash {
	return documents.HashOf(sum + "\x00" + question + "\x00" + name)
}

// take marks an id as found, and reports whether it was not before.
func (l *lost) take(id string) bool {
	if _, taken := l.taken[id]; taken {
		return false
	}
	if l.taken == nil {
		l.taken = map[string]struct{}{}
	}
	l.taken[id] = struct{}{}
	return true
}

// first takes the first of some ids that was not found before.
func (l *lost) first(ids []string) (string, bool) {
	i := slices.IndexFunc(ids, l.take)
	if i < 0 {
		return "", false
	}
	return ids[i], true
}

// recover finds what an earlier run began for a document of which the journal knows
// nothing, so that it is not paid for again, and journals it: by its result, by the record
// in a Redis that only runs with this --out use, or by the document that is kept there.
func (b *backfill) recover(ctx context.Context, d *documents.Document, want entry) (entry, progressed, bool, error) {
	name, result, written := b.writtenOut(ctx, d, want)
	b.lost.mu.Lock()
	defer b.lost.mu.Unlock()
	if written && result.Status == extraction.StatusSuccess && b.lost.take(result.ID) {
		return b.adopt(want, name, result)
	}
	if err := b.lookForLost(ctx); err != nil {
		return entry{}, progressed{}, false, err
	}
	if id, ok := b.lost.first(b.lost.records[lostKey(want.SHA256, want.Question, d.FileName())]); ok {
		old, done, err := b.rejournal(want, d.WholeName(), id, true)
		return old, done, err == nil, err
	}
	if written && b.lost.take(result.ID) { // It ended badly, and nothing newer is known.
		return b.adopt(want, name, result)
	}
	if id, ok := b.lost.first(b.lost.kept[want.SHA256]); ok {
		want.Shared = true // What became of it can only be guessed.
		old, done, err := b.rejournal(want, d.WholeName(), id, !b.lost.others)
		return old, done, err == nil, err
	}
	return entry{}, progressed{}, false, nil
}

// adopt journals an extraction by its result.
func (b *backfill) adopt(want entry, name string, e extraction.Extraction) (entry, progressed, bool, error) {
	want.Name, want.ID = name, e.ID
	done, err := b.journal.Progress(e.ID)
	done.Accepted = true
	if err == nil {
		err = b.journal.Adopt(want, done)
	}
	return want, done, err == nil, err
}

// rejournal journals an extraction that has no result yet. same says that what the journal
// knows of its progress belongs to the same question.
func (b *backfill) rejournal(want entry, whole, id string, same bool) (entry, progressed, error) {
	want.ID = id
	done, err := b.journal.Progress(id)
	if !same {
		done = progressed{ID: id}
	}
	done.Accepted = true
	if err == nil {
		want, err = b.journal.Repeat(want, whole, done)
	}
	return want, done, err
}

// writtenOut is the result of a document that stands where its own would, if it is of the
// same bytes and the same question.
func (b *backfill) writtenOut(ctx context.Context, d *documents.Document, want entry) (string, extraction.Extraction, bool) {
	whole := d.WholeName()
	for _, name := range []string{d.Name, d.ShortName, whole, plainName(want)} {
		if e, ok := readResult(b.resultFile(name)); ok && name != "" && b.answers(ctx, d, want, e) {
			return name, e, true
		}
	}
	for n := 2; ; n++ { // Those of several documents that would have one name have no gap.
		name := whole + "-" + strconv.Itoa(n)
		if _, err := os.Lstat(b.resultFile(name)); err != nil {
			return "", extraction.Extraction{}, false
		}
		if e, ok := readResult(b.resultFile(name)); ok && b.answers(ctx, d, want, e) {
			return name, e, true
		}
	}
}

// answers reports whether a result is of this document and of what this run asks.
func (b *backfill) answers(ctx context.Context, d *documents.Document, want entry, e extraction.Extraction) bool {
	question := b.questionOf(asked{
		e.Account, string(e.Type), string(e.ConfigName), string(e.Environment), string(e.Customer), e.Types, e.Options,
	})
	if e.ID == "" || question != want.Question || e.Document.Name != d.FileName() {
		return false
	}
	switch {
	case d.URL == "":
		return string(e.Document.SHA256) == want.SHA256
	case d.Body == nil: // Its query was taken out when it had ended.
		return string(e.Document.URL) == d.URL
	case e.Document.SHA256 == "":
		return false
	}
	if known, err := b.journal.Progress(e.ID); err != nil || known.Accepted {
		return false // The journal knows it, as the document of another URL.
	}
	again, err := b.reader.Open(ctx, d.Source) // Only its bytes tell.
	if err != nil {
		return false
	}
	defer again.Close()
	got, err := store.Digest(io.Discard, again, b.reader.Limit)
	return err == nil && got.SHA256 == string(e.Document.SHA256)
}

// ownsState reports whether only runs with this --out use the Redis and the document
// store. Of what is in another one, only what is noted for this --out is this run's.
func (b *backfill) ownsState() bool { return b.Redis.URL == "" && !b.DataGiven }

// lookForLost finds, once, what the journal does not name.
func (b *backfill) lookForLost(ctx context.Context) error {
	l := &b.lost
	if l.looked {
		return nil
	}
	named, others, err := b.journal.IDs(b.question())
	if err != nil {
		return err
	}
	var unnamed []string
	known := map[documents.Hash]struct{}{}
	for id, err := range b.begunIDs(ctx) {
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
		found, err := b.Records.GetAll(ctx, []string{b.account.Name}, page...)
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
		sum, err := b.sumOf(ctx, id)
		if err != nil {
			return err
		}
		kept[sum] = append(kept[sum], id)
	}
	l.records, l.kept, l.others, l.looked = records, kept, others, true
	return nil
}

// begunIDs are the ids of what earlier runs with this --out have in Redis, the latest first.
func (b *backfill) begunIDs(ctx context.Context) iter.Seq2[string, error] {
	if b.ownsState() {
		return b.Records.IDs(ctx, b.account.Name)
	}
	return func(yield func(string, error) bool) {
		ids, err := b.Records.OfRun(ctx, b.account.Name, b.origin())
		if err != nil {
			yield("", err)
			return
		}
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

// origin names this --out in a Redis that others use too.
func (b *backfill) origin() string {
	host, _ := os.Hostname() // Without one, the folder has to do.
	out, err := filepath.Abs(b.out)
	if err != nil {
		out = b.out
	}
	name := documents.HashOf(host + "\x00" + out)
	return hex.EncodeToString(name[:])
}

// noted is a way to hand in a document, which is noted as this run's before.
func (b *backfill) noted(
	send func(context.Context, intake.Submission) (extraction.Extraction, error),
) func(context.Context, intake.Submission) (extraction.Extraction, error) {
	if b.journal == nil || b.ownsState() {
		return send
	}
	return func(ctx context.Context, s intake.Submission) (extraction.Extraction, error) {
		if err := b.Records.NoteRun(ctx, b.account.Name, b.origin(), s.ID); err != nil {
			return extraction.Extraction{}, err
		}
		return send(ctx, s)
	}
}

// keyOf is lostKey for a record.
func (b *backfill) keyOf(r store.Record) documents.Hash {
	sum := string(r.Document.SHA256)
	if r.Document.URL != "" {
		sum = "url " + documents.URLDigest(string(r.Document.URL))
	}
	return lostKey(sum, b.questionOf(asked{
		r.Account, r.Type, r.ConfigName, r.Environment, r.Customer, r.Types, r.Options,
	}), r.Document.Name)
}

// sumOf is the digest of a kept document; empty where it has gone meanwhile.
func (b *backfill) sumOf(ctx context.Context, id string) (string, error) {
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

// unsent is what to do about an extraction of which the journal says that nothing has
// reached the vendor. Where lines are damaged and nothing else remembers, one of them may
// have said the opposite.
func (b *backfill) unsent(ctx context.Context, old entry) (resumption, error) {
	if len(b.journal.damaged) == 0 || b.Persistent || b.retryFailed || b.sandboxed {
		return submitIt, nil
	}
	kept, err := b.Blobs.HasDocument(ctx, old.ID)
	switch {
	case err != nil:
		return settledIt, errkind.MarkUnavailable(err)
	case kept:
		return settledIt, b.settled(old)
	}
	return submitIt, nil
}
