package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// customerDigest stands for a customer where a field or a name must be short;
// empty for none.
func customerDigest(customer string) string {
	if customer == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(customer))
	return hex.EncodeToString(sum[:8])
}

// Batch is how far the extractions of one batch are. The counts stay when the
// extractions are erased.
type Batch struct {
	Name string
	// Counts are by status, without those at zero.
	Counts map[extraction.Status]int64
	// Latest is when the latest extraction was accepted.
	Latest time.Time
}

// Total is the number of extractions that were ever in the batch.
func (b Batch) Total() int64 {
	var n int64
	for _, c := range b.Counts {
		n += c
	}
	return n
}

// Final is how many of them have ended.
func (b Batch) Final() int64 {
	var n int64
	for status, c := range b.Counts {
		if status.Final() {
			n += c
		}
	}
	return n
}

// Count returns a batch over some accounts; with a customer, only that one's
// part. ErrNotFound says that it has no extraction.
func (s *Records) Count(ctx context.Context, accounts []string, name, customer string) (Batch, error) {
	found, err := s.count(ctx, accounts, []string{name}, customer)
	if err != nil {
		return Batch{}, err
	}
	if found[0].Total() == 0 {
		return Batch{}, fmt.Errorf("batch %q: %w", name, ErrNotFound)
	}
	return found[0], nil
}

// Batches returns the batches of some accounts, those with the latest extraction
// first, behind the one called after; empty for the beginning. With a customer,
// only that one's parts are counted, and batches it has no part in are left out.
// It returns at most limit, and the name to go on after; empty at the end.
func (s *Records) Batches(ctx context.Context, accounts []string, customer, after string, limit int) ([]Batch, string, error) {
	names, err := s.batchNames(ctx, accounts)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		// One that has had another extraction meanwhile has moved to the front.
		names = names[slices.Index(names, after)+1:]
	}
	var out []Batch
	for page := range slices.Chunk(names, listPage) {
		counted, err := s.count(ctx, accounts, page, customer)
		if err != nil {
			return nil, "", err
		}
		for _, b := range counted {
			if b.Total() == 0 {
				continue
			}
			if len(out) == limit {
				return out, out[limit-1].Name, nil
			}
			out = append(out, b)
		}
	}
	return out, "", nil
}

// batchNames are the names of all batches, those with the latest extraction first.
func (s *Records) batchNames(ctx context.Context, accounts []string) ([]string, error) {
	latest := map[string]float64{}
	for _, account := range accounts {
		all, err := s.rdb.ZRangeWithScores(ctx, accountKeys(account).batches(), 0, -1).Result()
		if err != nil {
			return nil, fmt.Errorf("read batches: %w", err)
		}
		for _, z := range all {
			name, _ := z.Member.(string)
			latest[name] = max(latest[name], z.Score)
		}
	}
	return slices.SortedFunc(maps.Keys(latest), func(a, b string) int {
		return cmp.Or(cmp.Compare(latest[b], latest[a]), strings.Compare(a, b))
	}), nil
}

// count reads the counts of batches over some accounts, in one round trip.
func (s *Records) count(ctx context.Context, accounts, batches []string, customer string) ([]Batch, error) {
	type part struct {
		counts *redis.MapStringStringCmd
		latest *redis.FloatCmd
	}
	asked := make([][]part, len(batches))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range batches {
			for _, account := range accounts {
				k := accountKeys(account)
				asked[i] = append(asked[i], part{p.HGetAll(ctx, k.batchCounts(name)), p.ZScore(ctx, k.batches(), name)})
			}
		}
		return nil
	})
	if err != nil && !isNil(err) { // A batch that an account does not have has no score.
		return nil, fmt.Errorf("count batches: %w", err)
	}
	prefix := ""
	if customer != "" {
		prefix = customerDigest(customer) + ":"
	}
	out := make([]Batch, len(batches))
	for i, parts := range asked {
		b := Batch{Name: batches[i], Counts: map[extraction.Status]int64{}}
		for _, p := range parts {
			for field, n := range p.counts.Val() {
				status, ok := strings.CutPrefix(field, prefix)
				if ok && !strings.Contains(status, ":") && number(n) != 0 {
					b.Counts[extraction.Status(status)] += number(n)
				}
			}
			if at := extraction.FromMillis(int64(p.latest.Val())).Time; at.After(b.Latest) {
				b.Latest = at
			}
		}
		out[i] = b
	}
	return out, nil
}
