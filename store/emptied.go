package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// The counts of a batch outlive its records by the retention. erase notes when they go
// along with the last record; what notes nothing is found by FindEmptied.

// ForgetBatches removes the counts of those batches of an account whose last record went
// its retention ago, at most limit, and returns how many it removed.
func (s *Records) ForgetBatches(ctx context.Context, account string, limit int64) (int, error) {
	k := accountKeys(account)
	now, err := s.Now(ctx, account)
	if err != nil {
		return 0, err
	}
	first, err := s.rdb.ZRangeWithScores(ctx, k.emptied(), 0, limit-1).Result()
	if err != nil {
		return 0, fmt.Errorf("read emptied batches of %s: %w", account, err)
	}
	forgotten := 0
	for _, z := range first {
		if int64(z.Score) > now.UnixMilli() {
			break
		}
		name, _ := z.Member.(string)
		_, err := s.run(ctx, "forget", Input{Account: account, Batch: name}, NewToken(), name)
		switch {
		case err == nil:
			forgotten++
		case !errors.Is(err, ErrStale): // Another worker was first, or it has a record again.
			return forgotten, err
		}
	}
	return forgotten, nil
}

// FindEmptied notes the batches of an account that have no record and of which nothing
// says when their counts go, as an earlier version left them: they go after kept.
func (s *Records) FindEmptied(ctx context.Context, account string, kept time.Duration) error {
	k := accountKeys(account)
	now, err := s.Now(ctx, account)
	if err != nil {
		return err
	}
	for cursor := uint64(0); ; {
		found, next, err := s.rdb.ZScan(ctx, k.batches(), cursor, "", listPage).Result()
		if err != nil {
			return fmt.Errorf("read batches of %s: %w", account, err)
		}
		names := make([]string, 0, len(found)/2)
		for i := 0; i < len(found); i += 2 { // A name and its score.
			names = append(names, found[i])
		}
		if err := s.noteEmptied(ctx, k, names, now.Add(kept)); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// noteEmptied notes those of some batches that have no record. One that gets a record at
// this moment is noted too, which forget sees.
func (s *Records) noteEmptied(ctx context.Context, k keys, names []string, goes time.Time) error {
	sizes := make([]*redis.IntCmd, len(names))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range names {
			sizes[i] = p.ZCard(ctx, k.batch(name))
		}
		return nil
	})
	var emptied []redis.Z
	for i, name := range names {
		if err == nil && sizes[i].Val() == 0 {
			emptied = append(emptied, redis.Z{Score: float64(goes.UnixMilli()), Member: name})
		}
	}
	if err == nil && len(emptied) > 0 {
		err = s.rdb.ZAddNX(ctx, k.emptied(), emptied...).Err()
	}
	if err != nil {
		return fmt.Errorf("note emptied batches: %w", err)
	}
	return nil
}
