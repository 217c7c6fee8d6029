package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// UnreferencedAfter is how long a blob without a record may be one whose record
// is just being written.
const UnreferencedAfter = time.Hour

// ErrNotOurs is returned where the document store was filled through another
// Redis, so that nobody here can tell what is still wanted.
var ErrNotOurs = errors.New("the document store was filled through another Redis")

// unreferencedPage is how many extractions are looked up at once.
const unreferencedPage = 500

// DeleteUnreferenced deletes the blobs that no record names: what a crash left between
// the writing of a blob and that of its record, or a worker that lost the race for the
// final status. Those younger than age are left alone, by the clock of the store: this
// machine's may be hours ahead of it. What is not in the folder of an extraction was put
// there by somebody else and is left alone too. It returns how many it deleted.
//
// A Redis that has lost its records must not cost the documents too: nothing is deleted
// unless the store belongs to this very Redis, and ErrNotOurs is returned; and what is
// older than the acceptance of an empty one stays.
func DeleteUnreferenced(ctx context.Context, s *Records, b *Blobs, age time.Duration) (int, error) {
	accounts, err := s.Accounts(ctx)
	if err != nil {
		return 0, err
	}
	here, err := s.identity(ctx)
	if err != nil {
		return 0, err
	}
	now, err := b.now(ctx)
	if err != nil {
		return 0, err
	}
	deleted := 0
	page := map[string][]string{} // The parts of old blobs by their extraction's id.
	flush := func() error {
		n, err := s.deleteUnreferenced(ctx, b, accounts, page)
		deleted += n
		clear(page)
		return err
	}
	it := b.bucket.List(nil)
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			err := flush()
			return deleted, err
		}
		if err != nil {
			return deleted, fmt.Errorf("list blobs: %w", err)
		}
		id, part, ok := extractionOf(o.Key)
		if !ok || now.Sub(o.ModTime) < age || o.ModTime.Before(time.UnixMilli(here.Since)) {
			continue
		}
		if _, known := page[id]; !known && len(page) >= unreferencedPage {
			if err := flush(); err != nil {
				return deleted, err
			}
		}
		page[id] = append(page[id], part)
	}
}

// deleteUnreferenced deletes those of some blobs that no record names.
func (s *Records) deleteUnreferenced(ctx context.Context, b *Blobs, accounts []string, page map[string][]string) (int, error) {
	if len(page) == 0 {
		return 0, nil
	}
	ids := make([]string, 0, len(page))
	for id := range page {
		ids = append(ids, id)
	}
	found, err := s.GetAll(ctx, accounts, ids...)
	if err != nil {
		return 0, err
	}
	// Asked after the records were read: had they been lost before, so would this.
	if ours, err := paired(ctx, s, b); err != nil || !ours {
		return 0, errors.Join(err, ErrNotOurs)
	}
	wanted := map[string]string{} // The part of the result, by id.
	for _, r := range found {
		wanted[r.ID] = strconv.FormatInt(r.ResultSeq, 10)
	}
	deleted := 0
	for id, parts := range page {
		result, known := wanted[id]
		for _, part := range parts {
			if known && (part == result || part == documentPart) {
				continue
			}
			if err := b.remove(ctx, id+"/"+part); err != nil {
				return deleted, err
			}
			deleted++
		}
		b.removeFolder(id)
	}
	return deleted, nil
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
