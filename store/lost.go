package store

import (
	"context"
	"errors"
	"fmt"
)

// A Redis may lose its data, or be replaced by another one, under running processes. They
// compare its identity with the one that they were started with, wherever that matters.

// ErrRedisLost is returned where the Redis is not the one that this process was started
// with, or has lost its data since. It lasts until that one is back with its data, or an
// operator has accepted an empty one for the same document store.
var ErrRedisLost = errors.New("the Redis has lost its data, or is another one, since this process was started")

// CheckPair is Pair for a process that only looks: it writes nothing, and a Redis without
// an identity belongs to any store, unless this process has seen it with another one: then
// it is ErrRedisLost, until the two belong together again. A Redis that does not answer, or
// is loading its data, is an error of another kind. b is nil for a store that does not
// exist yet.
func CheckPair(ctx context.Context, s *Records, b *Blobs) error {
	here, err := s.identity(ctx)
	if err != nil {
		return err
	}
	if b == nil {
		if here.Store == "" {
			return nil
		}
		return here.match(identity{})
	}
	paired := b.pair.Load()
	if paired == nil && here.Store == "" {
		return nil
	}
	there, err := b.identity(ctx)
	if paired != nil && (here.Store != paired.Store || here.Redis != paired.Redis) {
		if err != nil || here.Store != paired.Store || here.Store != there.Store || here.Redis != there.Redis {
			b.lost.Store(true)
			return ErrRedisLost
		}
		b.pair.Store(&here) // Another process was told to accept it.
	}
	if err == nil {
		err = here.match(there)
	}
	if err != nil {
		return err
	}
	b.pair.CompareAndSwap(nil, &here)
	b.lost.Store(false)
	return nil
}

// RedisLost reports whether that is what CheckPair found last in this process.
func (b *Blobs) RedisLost() bool { return b.lost.Load() }

// CheckRedis is CheckPair for a process without the document store: it also returns
// ErrNewer. Another Redis of the same store is taken for one that was accepted.
func (s *Records) CheckRedis(ctx context.Context) error {
	if err := s.CheckVersion(ctx); err != nil {
		return err
	}
	here, err := s.identity(ctx)
	if err != nil {
		return err
	}
	if seen := s.seen.Load(); seen != nil && *seen != here.Store {
		return ErrRedisLost
	}
	if here.Store != "" {
		s.seen.Store(&here.Store)
	}
	return nil
}

// Identity names what Redis holds: it is another name when the data are lost, and empty
// where Redis has none.
func (s *Records) Identity(ctx context.Context) (string, error) {
	here, err := s.identity(ctx)
	return here.Redis, err
}

// Vanished is ErrEmptyRedis where Redis has no identity and the document store holds the
// extractions of one that had: for a process that looks at both for the first time.
func Vanished(ctx context.Context, s *Records, b *Blobs) error {
	here, err := s.identity(ctx)
	if err != nil || here.Store != "" {
		return err
	}
	there, err := b.identity(ctx)
	if err != nil || there.Store == "" || there.Volatile {
		return err
	}
	held, err := b.holdsExtractions(ctx)
	if err == nil && held {
		err = fmt.Errorf("%w of another one, which has lost its data or is elsewhere", ErrEmptyRedis)
	}
	return err
}
