package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/store"
)

const (
	// followEvery is how often the events are read.
	followEvery = 100 * time.Millisecond
	// sweepEvery is how often all watched records are read nevertheless: the
	// stream of events is bounded, and who is slow misses some.
	sweepEvery = 5 * time.Second
	// eventPage is how many events are read at once.
	eventPage = 1000
)

// redisPatience is how long a Redis that was there may be away.
const redisPatience = 30 * time.Second

// redisError is trouble with Redis while following.
type redisError struct{ err error }

func (e redisError) Error() string { return e.err.Error() }
func (e redisError) Unwrap() error { return e.err }

// follower waits for extractions to become final, and for results that are fetched again.
// It tells of each once.
type follower struct {
	records *store.Records
	// seen is told of every record that is not final, whenever all are read; nil turns
	// it off.
	seen func(store.Record)
	// redis is the identity of the Redis in which everything is that is waited for.
	redis string

	mu      sync.Mutex
	waiting map[string]string // Account by id.
	cursors map[string]string // By account.
}

// newFollower returns a follower that sees everything that becomes final from
// now on at the accounts.
func newFollower(ctx context.Context, records *store.Records, accounts []string) (*follower, error) {
	f := &follower{records: records, waiting: map[string]string{}, cursors: map[string]string{}}
	var err error
	if f.redis, err = records.Identity(ctx); err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	for _, a := range accounts {
		cursor, err := records.EventCursor(ctx, a)
		if err != nil {
			return nil, errkind.MarkUnavailable(err)
		}
		f.cursors[a] = cursor
	}
	return f, nil
}

// Watch adds an extraction that exists. One that became final before is told of
// at the next sweep.
func (f *follower) Watch(account, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting[id] = account
}

// Waiting are the ids that are not final yet.
func (f *follower) Waiting() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.waiting))
}

// Accounts are those of what is waited for.
func (f *follower) Accounts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.Sorted(maps.Values(f.waiting))
	return slices.Compact(all)
}

// Run calls final for each watched extraction that becomes final, until stop
// says that there is nothing more to wait for, or ctx ends. An extraction that
// is erased under it is passed as gone, with its id only.
func (f *follower) Run(ctx context.Context, stop func() bool, final func(r store.Record, gone bool) error) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	lastSweep, lastAnswer := time.Time{}, time.Now()
	for {
		var err error
		if time.Since(lastSweep) >= sweepEvery {
			lastSweep = time.Now()
			err = f.look(ctx, f.Waiting(), final)
		} else {
			err = f.events(ctx, final)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch e, ok := errors.AsType[redisError](err); {
		case err == nil:
			lastAnswer = time.Now()
		case !ok:
			return err
		case time.Since(lastAnswer) > redisPatience:
			return errkind.MarkUnavailable(e.err)
		default: // A restart; the workers wait for it too.
			lastSweep = time.Time{}
		}
		if err == nil && stop() {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// events looks at what the streams say has become final.
func (f *follower) events(ctx context.Context, final func(store.Record, bool) error) error {
	var ids []string
	for account, cursor := range f.cursors {
		for {
			events, err := f.records.Events(ctx, account, cursor, eventPage)
			if err != nil {
				return redisError{err}
			}
			for _, e := range events {
				cursor = e.Cursor
				if e.Status.Final() {
					ids = append(ids, e.ID)
				}
			}
			f.cursors[account] = cursor
			if len(events) < eventPage {
				break
			}
		}
	}
	f.mu.Lock()
	ids = slices.DeleteFunc(ids, func(id string) bool { return f.waiting[id] == "" })
	f.mu.Unlock()
	return f.look(ctx, ids, final)
}

// look reads the records of some watched extractions.
func (f *follower) look(ctx context.Context, ids []string, final func(store.Record, bool) error) error {
	for page := range slices.Chunk(ids, 200) {
		byAccount := map[string][]string{}
		f.mu.Lock()
		for _, id := range page {
			byAccount[f.waiting[id]] = append(byAccount[f.waiting[id]], id)
		}
		f.mu.Unlock()
		for account, ids := range byAccount {
			records, err := f.records.GetAll(ctx, []string{account}, ids...)
			if err != nil {
				return redisError{err}
			}
			exists := map[string]bool{}
			for _, r := range records {
				exists[r.ID] = true
				switch {
				case r.Settled():
					if err := f.tell(r, false, final); err != nil {
						return err
					}
				case f.seen != nil:
					f.seen(r)
				}
			}
			if len(exists) < len(ids) { // They were erased, or all of them are lost.
				if err := f.same(ctx); err != nil {
					return err
				}
			}
			for _, id := range ids {
				if !exists[id] {
					gone := store.Record{Input: store.Input{ID: id, Account: account}}
					if err := f.tell(gone, true, final); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// same returns what lost returns where Redis is not the one in which the extractions were.
func (f *follower) same(ctx context.Context) error {
	now, err := f.records.Identity(ctx)
	if err != nil {
		return redisError{err}
	}
	if f.redis != "" && now != f.redis {
		return f.lost()
	}
	return nil
}

// lost is the end of waiting in a Redis that has lost its data. Whether what was waited for
// has ended is not known, and the vendor may have it: it is named, and left alone.
func (f *follower) lost() error {
	ids := f.Waiting()
	slices.Sort(ids)
	return errkind.MarkUnavailable(fmt.Errorf("%w; bring its data back. Where they are lost for good, see what the vendor has before anything is "+
		"submitted again; start run, up or a server role once with --%s, and run with the same --out goes on with what it finds there. "+
		"%d extractions were waited for: %s", store.ErrRedisLost, acceptEmptyFlag, len(ids), strings.Join(ids, " ")))
}

func (f *follower) tell(r store.Record, gone bool, final func(store.Record, bool) error) error {
	f.mu.Lock()
	_, watched := f.waiting[r.ID]
	delete(f.waiting, r.ID)
	f.mu.Unlock()
	if !watched {
		return nil
	}
	return final(r, gone)
}

// withResult is the public form of a final record, with its result.
func withResult(ctx context.Context, blobs *store.Blobs, r store.Record) (extraction.Extraction, error) {
	e, err := blobs.Whole(ctx, r)
	if err != nil {
		return e, errkind.MarkUnavailable(err)
	}
	return e, nil
}
