package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// registerEvery is how often a process notes again that an account has
// extractions: Redis may have been emptied under it.
const registerEvery = time.Minute

// register notes that an account has extractions, before the first of them is
// written: an account that leaves the configuration is found by it.
func (s *Records) register(ctx context.Context, account string) error {
	if at, ok := s.known.Load(account); ok && time.Since(at.(time.Time)) < registerEvery {
		return nil
	}
	if err := s.rdb.SAdd(ctx, accountsKey, account).Err(); err != nil {
		return fmt.Errorf("register account %s: %w", account, err)
	}
	s.known.Store(account, time.Now())
	return nil
}

// Accounts returns the accounts that have or had extractions, sorted by name.
// Some of them may be in no configuration any more.
func (s *Records) Accounts(ctx context.Context) ([]string, error) {
	names, err := s.rdb.SMembers(ctx, accountsKey).Result()
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// Load is how much an account has to do.
type Load struct {
	// Queued counts what waits for its submission, Oldest is when the oldest of
	// it was accepted; zero where nothing waits.
	Queued int64
	Oldest time.Time
	// InFlight counts the extractions that hold one of the account's slots.
	InFlight int64
}

// Load returns how much an account has to do, in one round trip.
func (s *Records) Load(ctx context.Context, account string) (Load, error) {
	k := accountKeys(account)
	var queued, inFlight *redis.IntCmd
	var oldest *redis.ZSliceCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		queued, inFlight = p.ZCard(ctx, k.queued()), p.ZCard(ctx, k.inFlight())
		oldest = p.ZRangeWithScores(ctx, k.queued(), 0, 0)
		return nil
	})
	if err != nil {
		return Load{}, fmt.Errorf("read load of %s: %w", account, err)
	}
	l := Load{Queued: queued.Val(), InFlight: inFlight.Val()}
	if first := oldest.Val(); len(first) > 0 {
		l.Oldest = extraction.FromMillis(int64(first[0].Score)).Time
	}
	return l, nil
}
