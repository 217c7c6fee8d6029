// Package follow waits for extractions in Redis to become final, by the accounts' streams of
// events.
package follow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/store"
)

const (
	// eventsEvery is how often the streams of events are read.
	eventsEvery = 100 * time.Millisecond
	// recordsEvery is how often all watched records are read too: the streams are bounded,
	// and a slow reader misses events.
	recordsEvery = 5 * time.Second
	// eventPage and recordPage are how many are read at once.
	eventPage, recordPage = 1000, 200
	// maxOutage is how long a Redis that responded before may be away.
	maxOutage = 30 * time.Second
)

// outage is an error of Redis while following. It may pass.
type outage struct{ error }

func (o outage) Unwrap() error { return o.error }

// Config says what a Follower reads.
type Config struct {
	Records *store.Records
	// Accounts are the accounts that extractions may be watched of.
	Accounts []string
	// Unfinished is called with every watched record that is not final, each time all of
	// them are read; nil for no calls.
	Unfinished func(store.Record)
}

// Follower waits for extractions to become final, and for results that are fetched again.
// It reports each once. All methods are safe for concurrent use, but Run may be called once.
type Follower struct {
	cfg Config
	// redis is the identity of the Redis that has the extractions.
	redis string

	mu      sync.Mutex
	waiting map[string]string // Account by id.
	cursors map[string]string // By account.
}

// New returns a Follower that sees everything that becomes final from now on.
func New(ctx context.Context, cfg Config) (*Follower, error) {
	f := &Follower{cfg: cfg, waiting: map[string]string{}, cursors: map[string]string{}}
	var err error
	if f.redis, err = cfg.Records.Identity(ctx); err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	for _, a := range cfg.Accounts {
		if f.cursors[a], err = cfg.Records.EventCursor(ctx, a); err != nil {
			return nil, errkind.MarkUnavailable(err)
		}
	}
	return f, nil
}

// Watch adds an extraction that exists. One that is final already is reported when all
// records are read next.
func (f *Follower) Watch(account, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting[id] = account
}

// Waiting are the ids that are not final yet.
func (f *Follower) Waiting() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.waiting))
}

// Accounts are the accounts of the extractions that are not final yet.
func (f *Follower) Accounts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Compact(slices.Sorted(maps.Values(f.waiting)))
}

// Run calls final for each watched extraction that becomes final, until stop
// says that there is nothing more to wait for, or ctx ends. An extraction that
// is erased under it is passed as gone, with its id only.
func (f *Follower) Run(ctx context.Context, stop func() bool, final func(r store.Record, gone bool) error) error {
	ticker := time.NewTicker(eventsEvery)
	defer ticker.Stop()
	lastRead, lastAnswer := time.Time{}, time.Now()
	for {
		var err error
		if time.Since(lastRead) >= recordsEvery {
			lastRead = time.Now()
			err = f.read(ctx, f.Waiting(), final)
		} else {
			err = f.events(ctx, final)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch e, ok := errors.AsType[outage](err); {
		case err == nil:
			lastAnswer = time.Now()
		case !ok:
			return err
		case time.Since(lastAnswer) > maxOutage:
			return errkind.MarkUnavailable(e.error)
		default: // A restart; the workers wait for it too.
			lastRead = time.Time{}
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

// events reads the records that the streams say have become final.
func (f *Follower) events(ctx context.Context, final func(store.Record, bool) error) error {
	var ids []string
	for account, cursor := range f.cursors {
		for {
			events, err := f.cfg.Records.Events(ctx, account, cursor, eventPage)
			if err != nil {
				return outage{err}
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
	return f.read(ctx, ids, final)
}

// read reads the records of some watched extractions.
func (f *Follower) read(ctx context.Context, ids []string, final func(store.Record, bool) error) error {
	for page := range slices.Chunk(ids, recordPage) {
		byAccount := map[string][]string{}
		f.mu.Lock()
		for _, id := range page {
			byAccount[f.waiting[id]] = append(byAccount[f.waiting[id]], id)
		}
		f.mu.Unlock()
		for account, ids := range byAccount {
			if err := f.readOf(ctx, account, ids, final); err != nil {
				return err
			}
		}
	}
	return nil
}

// readOf reads the records of some watched extractions of one account.
func (f *Follower) readOf(ctx context.Context, account string, ids []string, final func(store.Record, bool) error) error {
	records, err := f.cfg.Records.GetAll(ctx, []string{account}, ids...)
	if err != nil {
		return outage{err}
	}
	if len(records) < len(ids) { // Some were erased, or all of them are lost.
		if err := f.same(ctx); err != nil {
			return err
		}
	}
	gone := map[string]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	for _, r := range records {
		delete(gone, r.ID)
		switch {
		case r.Settled():
			if err := f.report(r, false, final); err != nil {
				return err
			}
		case f.cfg.Unfinished != nil:
			f.cfg.Unfinished(r)
		}
	}
	for id := range gone {
		if err := f.report(store.Record{Input: store.Input{ID: id, Account: account}}, true, final); err != nil {
			return err
		}
	}
	return nil
}

// same returns Lost's error if Redis is not the one that had the extractions.
func (f *Follower) same(ctx context.Context) error {
	now, err := f.cfg.Records.Identity(ctx)
	if err != nil {
		return outage{err}
	}
	if f.redis != "" && now != f.redis {
		return f.Lost()
	}
	return nil
}

// Lost is the error of waiting in a Redis that has lost its data. It names what was waited
// for: whether that has ended is not known, and the vendor may have it.
func (f *Follower) Lost() error {
	ids := f.Waiting()
	slices.Sort(ids)
	return errkind.MarkUnavailable(fmt.Errorf("%w; bring its data back. Where they are lost for good, see what the vendor has before anything is "+
		"submitted again; start run, up or a server role once with --accept-empty-redis, and run with the same --out goes on with what it finds there. "+
		"%d extractions were waited for: %s", store.ErrRedisLost, len(ids), strings.Join(ids, " ")))
}

func (f *Follower) report(r store.Record, gone bool, final func(store.Record, bool) error) error {
	f.mu.Lock()
	_, watched := f.waiting[r.ID]
	delete(f.waiting, r.ID)
	f.mu.Unlock()
	if !watched {
		return nil
	}
	return final(r, gone)
}
