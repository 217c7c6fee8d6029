package main

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/store"
)

// outageStep is the time between two tries while Redis is away.
const outageStep = 500 * time.Millisecond

// outage is the absence of a Redis that was there, or trouble with the document store, as a
// command sees it that submits.
type outage struct {
	say func(format string, args ...any)
	// store says that the document store is waited for as well. A run is not: where its disk
	// is full it ends.
	store bool

	mu sync.Mutex
	// since is when the present row of failures began, or the Redis last said that it is
	// about to be back; zero while all is well.
	since time.Time
	// backlog is said once.
	backlog sync.Once
}

// waits reports whether what failed is to be tried again, after a while. An outage is
// said once, and lasts at most redisPatience.
func (o *outage) waits(ctx context.Context, err error) bool {
	away, returning := redisAway(err)
	what := "Redis is away (%v); waiting until it is back"
	if !away && o.store && storeFails(err) {
		away, what = true, "the document store fails (%v); waiting until it works"
	}
	if ctx.Err() != nil {
		return false
	}
	if away {
		o.mu.Lock()
		first := o.since.IsZero()
		if first || returning {
			o.since = time.Now()
		}
		lasts := time.Since(o.since)
		o.mu.Unlock()
		if lasts > redisPatience {
			return false
		}
		if first {
			o.say(what, err)
		}
	} else if !errors.Is(err, intake.ErrReceiving) { // Which passes, also where the other command was killed.
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(outageStep):
		return true
	}
}

// backlogEvery is how often an account that takes no more is asked again.
const backlogEvery = time.Second

// crowded reports whether what failed is to be tried again because the account took no
// more, which is said once.
func (o *outage) crowded(ctx context.Context, account string, err error) bool {
	if !errors.Is(err, store.ErrBacklog) {
		return false
	}
	o.backlog.Do(func() { o.say("account %s takes no more for now; waiting until it does", account) })
	return wait(ctx, backlogEvery) == nil
}

// storeFails reports whether a call failed because the document store takes no writes now.
func storeFails(err error) bool {
	return slices.ContainsFunc([]error{
		store.ErrStoreGone, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.ESTALE, syscall.ENOTCONN,
	}, func(why error) bool { return errors.Is(err, why) })
}

// over notes that all is well.
func (o *outage) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = time.Time{}
}

// redisAway reports whether a call failed because Redis could not be reached or takes no
// writes now, and whether it said that it is returning: it loads its data, or a replica
// takes over.
func redisAway(err error) (away, returning bool) {
	switch {
	case err == nil:
		return false, false
	case redis.IsLoadingError(err), redis.IsReadOnlyError(err), redis.IsMasterDownError(err), redis.IsClusterDownError(err),
		redis.IsTryAgainError(err):
		return true, true
	case redis.IsMaxClientsError(err), redis.IsOOMError(err), redis.HasErrorPrefix(err, "MISCONF"),
		errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true, false
	}
	_, broken := errors.AsType[*net.OpError](err)
	return broken, false
}

// handIn submits a document whose id the caller has chosen, once, however often it has to
// be tried while Redis or the document store is away: a try whose answer was lost may have been accepted, and
// the next one, with the same id, is told so. send is one try.
func (s *services) handIn(
	ctx context.Context, o *outage, d *documents.Document, sub intake.Submission,
	send func(context.Context, intake.Submission) (extraction.Extraction, error),
) (extraction.Extraction, error) {
	for {
		if err := store.CheckPair(ctx, s.records, s.blobs); errors.Is(err, store.ErrRedisLost) {
			return extraction.Extraction{}, errkind.MarkUnavailable(err) // Nothing would be submitted from there.
		}
		e, err := send(ctx, sub)
		if errors.Is(err, store.ErrExists) {
			e, err = s.accepted(ctx, sub)
		}
		if err == nil {
			o.over()
			return e, nil
		}
		if d.Failed != nil || !o.waits(ctx, err) && !o.crowded(ctx, sub.Account, err) {
			return e, d.Blame(err)
		}
		if err := d.Rewind(); err != nil {
			return e, err
		}
	}
}

// accepted is what is known of an extraction whose id is taken.
func (s *services) accepted(ctx context.Context, sub intake.Submission) (extraction.Extraction, error) {
	r, err := s.records.Get(ctx, sub.Account, sub.ID)
	if errors.Is(err, store.ErrNotFound) { // It was accepted, and deleted since.
		return extraction.Extraction{ID: sub.ID, Account: sub.Account}, nil
	}
	return r.Extraction(), err
}
