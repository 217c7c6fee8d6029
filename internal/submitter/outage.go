package submitter

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/store"
)

// Waits reports whether a call that failed should be repeated because Redis or the document
// store is away, and waits before it does. An outage is reported once and lasts at most maxOutage.
func (s *Submitter) Waits(ctx context.Context, err error) bool {
	away, returning := redisAway(err)
	what := "Redis is away (%v); waiting until it is back"
	if !away && s.waitsForStore && storeFails(err) {
		away, what = true, "the document store fails (%v); waiting until it works"
	}
	if ctx.Err() != nil {
		return false
	}
	if away {
		s.mu.Lock()
		first := s.since.IsZero()
		if first || returning {
			s.since = time.Now()
		}
		lasts := time.Since(s.since)
		s.mu.Unlock()
		if lasts > maxOutage {
			return false
		}
		if first {
			s.say(what, err)
		}
	} else if !errors.Is(err, intake.ErrReceiving) { // It passes, even if the other command was killed.
		return false
	}
	return wait.For(ctx, retryEvery) == nil
}

// storeFails reports whether a call failed because the document store accepts no writes.
func storeFails(err error) bool {
	return slices.ContainsFunc([]error{
		store.ErrStoreGone, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.ESTALE, syscall.ENOTCONN,
	}, func(why error) bool { return errors.Is(err, why) })
}

// answered notes that a submission has succeeded.
func (s *Submitter) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Time{}
}

// redisAway reports whether a call failed because Redis cannot be reached or accepts no
// writes, and whether Redis said that it is about to return: it is loading its data, or a
// replica is taking over.
func redisAway(err error) (away, returning bool) {
	switch {
	case err == nil:
		return false, false
	case redis.IsLoadingError(err), redis.IsReadOnlyError(err), redis.IsMasterDownError(err), redis.IsClusterDownError(err),
		redis.IsTryAgainError(err):
		return true, true
	case redis.IsMaxClientsError(err), redis.IsOOMError(err), redis.HasErrorPrefix(err, "MISCONF"), errors.Is(err, store.ErrNotReplicated),
		errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true, false
	}
	_, broken := errors.AsType[*net.OpError](err)
	return broken, false
}
