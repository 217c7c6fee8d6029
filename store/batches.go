package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// Batch is how far the extractions of one batch are. The counts stay when extractions
// are erased, and go the retention after the last one.
type Batch struct {
	Name string
	// Counts are by status, without those at zero.
	Counts map[extraction.Status]int64
	// Latest is when the latest extraction was accepted.
	Latest time.Time

	// passed reports that another account has had a later one than the list it was read
	// from.
	passed bool
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
	found, err := s.count(ctx, accounts, []ref{{id: name}}, customer)
	if err != nil {
		return Batch{}, err
	}
	if found[0].Total() == 0 {
		return Batch{}, fmt.Errorf("batch %q: %w", name, ErrNotFound)
	}
	return found[0], nil
}

// batchesRead bounds how many names one page is looked for among: a customer may have a
// part in few of them.
const batchesRead = 5000

// Batches returns the batches of some accounts behind a cursor (whose CreatedAt is
// that of the batch's latest extraction, and whose ID its name), those with the latest
// extraction first. With a customer, only that one's parts are counted, and batches it
// has no part in are left out. It returns at most limit, and where to go on; the zero
// value at the end. There may be more where a page is not full.
//
// A batch that gets another extraction moves to the front, and with it out of the pages
// that are still to come.
func (s *Records) Batches(ctx context.Context, accounts []string, customer string, after Cursor, limit int) ([]Batch, Cursor, error) {
	lists := make([]*listReader, len(accounts))
	for i, account := range accounts {
		lists[i] = newBatchReader(s, account, after)
	}
	var out []Batch
	var last, seen Cursor // The places of the last batch of the page, and of the last name.
	for read, n := 0, min(limit+1, listPage); read < batchesRead; n = listPage {
		page, err := merge(ctx, lists, n)
		if err != nil {
			return nil, Cursor{}, err
		}
		if len(page) == 0 {
			return out, Cursor{}, nil
		}
		read += len(page)
		counted, err := s.count(ctx, accounts, page, customer)
		if err != nil {
			return nil, Cursor{}, err
		}
		for i, b := range counted {
			place := Cursor{extraction.FromMillis(page[i].at).Time, b.Name}
			again := b.passed || place == seen // It has its place by another account.
			seen = place
			if again || b.Total() == 0 {
				continue
			}
			if len(out) == limit {
				return out, last, nil
			}
			out, last = append(out, b), place
		}
	}
	return out, seen, nil
}

// count reads the counts of batches over some accounts, in one round trip.
func (s *Records) count(ctx context.Context, accounts []string, batches []ref, customer string) ([]Batch, error) {
	type part struct {
		account string
		counts  *redis.MapStringStringCmd
		latest  *redis.FloatCmd
	}
	asked := make([][]part, len(batches))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, batch := range batches {
			for _, account := range accounts {
				k := accountKeys(account)
				asked[i] = append(asked[i], part{account, p.HGetAll(ctx, k.batchCounts(batch.id)), p.ZScore(ctx, k.batches(), batch.id)})
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
		b := Batch{Name: batches[i].id, Counts: map[extraction.Status]int64{}}
		for _, p := range parts {
			for field, n := range p.counts.Val() {
				status, ok := strings.CutPrefix(field, prefix)
				if ok && !strings.Contains(status, ":") && number(n) != 0 {
					b.Counts[extraction.Status(status)] += number(n)
				}
			}
			latest := int64(p.latest.Val())
			if at := extraction.FromMillis(latest).Time; at.After(b.Latest) {
				b.Latest = at
			}
			b.passed = b.passed || p.account != batches[i].account && latest > batches[i].at
		}
		out[i] = b
	}
	return out, nil
}
