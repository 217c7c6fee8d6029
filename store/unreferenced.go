package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// UnreferencedAfter is how long a blob without a record may be one whose record
// is just being written.
const UnreferencedAfter = time.Hour

// ErrNotOurs is returned where the document store was filled through another
// Redis, so that it is unknown here what is still wanted.
var ErrNotOurs = errors.New("the document store was filled through another Redis")

// unreferencedPage is how many extractions are looked up at once.
const unreferencedPage = 500

// DeleteUnreferenced deletes the blobs that no record names: what a crash left between
// the writing of a blob and that of its record, or a worker that lost the race for the
// final status. Those younger than age are left alone, by the clock of the store: this
// machine's may be hours ahead of it. What is not in the folder of an extraction was put
// there by other software and is left alone too.
//
// What was accepted and has neither a record nor a tombstone is lost, and not left over: it
// is kept for as long as its record would have been, for extractq recover.
//
// A Redis that has lost its records must not cost the documents too: nothing is deleted
// unless the store belongs to this very Redis, and ErrNotOurs is returned; and what is
// older than the acceptance of an empty one stays.
func DeleteUnreferenced(ctx context.Context, s *Records, b *Blobs, age, retention time.Duration) (Swept, error) {
	w := &sweep{s: s, b: b, retention: retention, page: map[string][]string{}}
	var err error
	if w.accounts, err = s.Accounts(ctx); err != nil {
		return w.Swept, err
	}
	here, err := s.identity(ctx)
	if err != nil {
		return w.Swept, err
	}
	there, err := b.identity(ctx)
	if err != nil {
		return w.Swept, err
	}
	w.forgets = there.Volatile // Such a Redis forgets by design.
	if w.now, err = b.now(ctx); err != nil {
		return w.Swept, err
	}
	for o, err := range b.bucket.List(ctx, "") {
		if err != nil {
			return w.Swept, fmt.Errorf("list blobs: %w", err)
		}
		id, part, ok := extractionOf(o.Key)
		if !ok || w.now.Sub(o.ModTime) < age || o.ModTime.Before(time.UnixMilli(here.Since)) {
			continue
		}
		if _, known := w.page[id]; !known && len(w.page) >= unreferencedPage {
			if err := w.flush(ctx); err != nil {
				return w.Swept, err
			}
		}
		w.page[id] = append(w.page[id], part)
	}
	return w.Swept, w.flush(ctx)
}

// Swept is what DeleteUnreferenced found.
type Swept struct {
	// Deleted is how many blobs it deleted, Lost how many accepted extractions Redis
	// knows nothing of.
	Deleted, Lost int
}

// sweep is one look through the document store.
type sweep struct {
	Swept

	s         *Records
	b         *Blobs
	accounts  []string
	retention time.Duration
	forgets   bool
	now       time.Time
	page      map[string][]string // The parts of old blobs by their extraction's id.
}

// flush deletes those blobs of the page that are not wanted.
func (w *sweep) flush(ctx context.Context) error {
	if len(w.page) == 0 {
		return nil
	}
	defer clear(w.page)
	found, err := w.s.GetAll(ctx, w.accounts, slices.Collect(maps.Keys(w.page))...)
	if err != nil {
		return err
	}
	// Asked after the records were read: had they been lost before, so would this.
	if ours, err := paired(ctx, w.s, w.b); err != nil || !ours {
		return errors.Join(err, ErrNotOurs)
	}
	results := map[string]string{} // The part of the result, by id.
	running := map[string]bool{}   // Redis may have gone back to before the end of these.
	for _, r := range found {
		results[r.ID], running[r.ID] = strconv.FormatInt(r.ResultSeq, 10), !r.Status.Final()
	}
	for id, parts := range w.page {
		result, known := results[id]
		if !known {
			kept, err := w.keeps(ctx, id, parts)
			if err != nil {
				return err
			}
			if kept {
				w.Lost++
				continue
			}
		}
		for _, part := range parts {
			if running[id] && number(part) > 0 || known && slices.Contains([]string{result, documentPart, sentPart, acceptedPart}, part) {
				continue
			}
			if part == acceptedPart {
				if err := w.b.deleteKey(ctx, id); err != nil {
					return err
				}
			}
			if err := w.b.remove(ctx, id+"/"+part); err != nil {
				return err
			}
			w.Deleted++
		}
		w.b.removeFolder(id)
	}
	return nil
}

// keeps reports whether an extraction without a record was accepted, and not erased.
func (w *sweep) keeps(ctx context.Context, id string, parts []string) (bool, error) {
	if w.forgets || !slices.Contains(parts, acceptedPart) {
		return false, nil
	}
	a, err := w.b.Accepted(ctx, id)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
		return false, nil
	}
	if err != nil || w.now.Sub(a.AcceptedAt.Time) > w.retention {
		return false, err
	}
	erased, err := w.s.Erased(ctx, a.Account, id)
	return !erased, err
}

// paired reports whether the document store belongs to this very Redis.
func paired(ctx context.Context, s *Records, b *Blobs) (bool, error) {
	here, err := s.identity(ctx)
	if err != nil {
		return false, err
	}
	there, err := b.identity(ctx)
	return here.Store == there.Store && here.Redis == there.Redis && here.Store != "", err
}
