package store

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// Matches reports whether a filter chooses the record. Its accounts are not compared: a
// reader takes only the lists of those it wants.
func (r Record) Matches(f extraction.Filter) bool {
	switch {
	case f.Customer != "" && r.Customer != f.Customer,
		f.Batch != "" && r.Batch != f.Batch,
		f.Type != "" && r.Type != f.Type && !slices.Contains(r.Types, f.Type),
		len(f.Status) > 0 && !slices.Contains(f.Status, r.Status),
		f.Error != "" && (r.Failure == nil || r.Failure.Code != f.Error),
		!f.Since.IsZero() && r.CreatedAt.Before(f.Since.Time),
		!f.Until.IsZero() && !r.CreatedAt.Before(f.Until.Time):
		return false
	}
	return true
}

// Cursor is a place in a list: behind the extraction of that id, which was
// accepted then. The zero value is the beginning.
type Cursor struct {
	CreatedAt time.Time
	ID        string
}

// CursorOf is the place behind a record.
func CursorOf(r Record) Cursor { return Cursor{r.CreatedAt, r.ID} }

// listPage is how many entries of an account, and how many records, are read at
// once.
const listPage = 200

// List returns the extractions of some accounts behind a cursor, the newest first.
// Those accepted while it is read are not among them. It reads page by page, so
// that a list of any length takes little memory; after an error it ends.
func (s *Records) List(ctx context.Context, accounts []string, f extraction.Filter, after Cursor) iter.Seq2[Record, error] {
	lists := make([]*listReader, len(accounts))
	for i, account := range accounts {
		lists[i] = newListReader(s, account, f, after)
	}
	return s.each(ctx, lists, f)
}

// IDs returns the ids of an account's extractions, the newest first. It reads no record.
func (s *Records) IDs(ctx context.Context, account string) iter.Seq2[string, error] {
	l := newListReader(s, account, extraction.Filter{}, Cursor{})
	return func(yield func(string, error) bool) {
		for {
			if err := l.fill(ctx); err != nil {
				yield("", err)
				return
			}
			if len(l.page) == 0 {
				return
			}
			for _, e := range l.page {
				if !yield(e.id, nil) {
					return
				}
			}
			l.page = nil
		}
	}
}

// each reads lists in their common order.
func (s *Records) each(ctx context.Context, lists []*listReader, f extraction.Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			page, err := merge(ctx, lists, listPage)
			if err == nil && len(page) == 0 {
				return
			}
			var records []Record
			if err == nil {
				records, err = s.read(ctx, page)
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, r := range records {
				if r.Matches(f) && !yield(r, nil) {
					return
				}
			}
		}
	}
}

// merge takes at most n entries off the lists, in their common order.
func merge(ctx context.Context, lists []*listReader, n int) ([]ref, error) {
	var out []ref
	for len(out) < n {
		var first *listReader
		for _, l := range lists {
			if err := l.fill(ctx); err != nil {
				return nil, err
			}
			if len(l.page) > 0 && (first == nil || l.before(l.page[0], first.page[0])) {
				first = l
			}
		}
		if first == nil {
			return out, nil
		}
		out = append(out, ref{first.account, first.page[0].id, first.page[0].at})
		first.page = first.page[1:]
	}
	return out, nil
}

// entry is a member of a list with its score, a time in milliseconds.
type entry struct {
	at int64
	id string
}

// listReader reads one account's list in pages.
type listReader struct {
	s       *Records
	account string
	key     string
	// oldest reports that the oldest come first, not the newest.
	oldest bool
	last   entry // The entry read last.
	end    any   // The last score that is wanted.
	page   []entry
	done   bool
}

// newListReader reads what an account has accepted, the newest first.
func newListReader(s *Records, account string, f extraction.Filter, after Cursor) *listReader {
	k := accountKeys(account)
	l := &listReader{s: s, account: account, key: k.list(), last: entry{at: 1 << 52}, end: "-inf"}
	if f.Batch != "" {
		l.key = k.batch(f.Batch)
	}
	if !f.Since.IsZero() {
		l.end = f.Since.UnixMilli()
	}
	if !f.Until.IsZero() {
		// Rounded up to milliseconds. The empty id is behind all others of its own.
		l.last = entry{at: f.Until.Add(time.Millisecond - 1).UnixMilli()}
	}
	if c := after.entry(); after.ID != "" && l.before(l.last, c) {
		l.last = c
	}
	return l
}

// newReadyReader reads what has not been acknowledged, the oldest first.
func newReadyReader(s *Records, account string, after Cursor) *listReader {
	l := &listReader{s: s, account: account, key: accountKeys(account).ready(), oldest: true, end: "+inf"}
	if after.ID != "" {
		l.last = after.entry()
	}
	return l
}

// newBatchReader reads the names of an account's batches, those with the latest
// extraction first.
func newBatchReader(s *Records, account string, after Cursor) *listReader {
	l := &listReader{s: s, account: account, key: accountKeys(account).batches(), last: entry{at: 1 << 52}, end: "-inf"}
	if after.ID != "" {
		l.last = after.entry()
	}
	return l
}

// ReadyCursorOf is the place behind a record in a ready list.
func ReadyCursorOf(r Record) Cursor { return Cursor{r.FinishedAt, r.ID} }

func (c Cursor) entry() entry { return entry{c.CreatedAt.UnixMilli(), c.ID} }

// before is the order of a list, and of one millisecond that of the ids, as Redis
// has it.
func (l *listReader) before(a, b entry) bool {
	if l.oldest {
		a, b = b, a
	}
	if a.at != b.at {
		return a.at > b.at
	}
	return strings.Compare(a.id, b.id) > 0
}

// fill reads the next page where the present one is used up. Entries of one
// millisecond may fill more than a page: they are stepped over by their number.
func (l *listReader) fill(ctx context.Context) error {
	for offset := int64(0); len(l.page) == 0 && !l.done; offset += listPage {
		got, err := l.s.rdb.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
			Key: l.key, ByScore: true, Rev: !l.oldest, Start: l.last.at, Stop: l.end, Offset: offset, Count: listPage,
		}).Result()
		if err != nil {
			return fmt.Errorf("read list of %s: %w", l.account, err)
		}
		l.done = len(got) < listPage
		for _, z := range got {
			id, _ := z.Member.(string)
			if e := (entry{int64(z.Score), id}); l.before(l.last, e) {
				l.page = append(l.page, e)
			}
		}
	}
	if len(l.page) > 0 {
		l.last = l.page[len(l.page)-1]
	}
	return nil
}
