package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// Violation is an invariant that does not hold for an extraction or a batch.
type Violation struct {
	// ID is the extraction's, or the batch's name.
	Account, ID string
	// Broken is what ought to hold, as a sentence.
	Broken string
}

func (v Violation) String() string {
	return v.ID + " (account " + v.Account + "): this does not hold: " + v.Broken
}

// Audited is what Audit looked at, and what does not hold.
type Audited struct {
	Extractions int
	Violations  []Violation
}

// auditPage is how many extractions are looked at in one round trip.
const auditPage = 500

// Audit reports what does not hold among the records of an account, its indexes and
// the document store, whose documents and results it reads. It may run beside workers:
// each extraction is seen at one moment.
func (s *Records) Audit(ctx context.Context, account string, b *Blobs) (Audited, error) {
	k := accountKeys(account)
	led, err := s.led(ctx, k)
	if err != nil {
		return Audited{}, err
	}
	out := Audited{Extractions: len(led)}
	for page := range slices.Chunk(slices.Sorted(maps.Keys(led)), auditPage) {
		records, err := s.GetAll(ctx, []string{account}, page...)
		if err != nil {
			return out, err
		}
		batches := map[string]string{}
		for _, r := range records {
			batches[r.ID] = r.Batch
		}
		for _, id := range page {
			broken, err := s.audit(ctx, Input{Account: account, ID: id, Batch: batches[id]}, led[id])
			if err != nil {
				return out, err
			}
			for _, what := range broken {
				out.Violations = append(out.Violations, Violation{account, id, what})
			}
		}
		for _, r := range records {
			what, err := b.audit(ctx, s, r)
			if err != nil {
				return out, err
			}
			if what != "" {
				out.Violations = append(out.Violations, Violation{account, r.ID, what})
			}
		}
	}
	wrong, err := s.auditBatches(ctx, k)
	for _, name := range wrong {
		out.Violations = append(out.Violations, Violation{account, name, "its counts are those of its extractions"})
	}
	return out, err
}

// auditBatches are the batches of an account whose counts are not the sums over their
// extractions. What was erased is still counted under its final status.
func (s *Records) auditBatches(ctx context.Context, k keys) ([]string, error) {
	names, err := s.rdb.ZRange(ctx, k.batches(), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("audit batches: %w", err)
	}
	var out []string
	for _, name := range names {
		agree := false
		for try := 0; try < 3 && !agree && err == nil; try++ { // They move while they are read.
			agree, err = s.countsAgree(ctx, k, name)
		}
		if err != nil {
			return out, fmt.Errorf("audit batch %s: %w", name, err)
		}
		if !agree {
			out = append(out, name)
		}
	}
	return out, nil
}

func (s *Records) countsAgree(ctx context.Context, k keys, batch string) (bool, error) {
	ids, err := s.rdb.ZRange(ctx, k.batch(batch), 0, -1).Result()
	if err != nil {
		return false, err
	}
	sums := map[string]int64{}
	for page := range slices.Chunk(ids, auditPage) {
		cmds, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, id := range page {
				p.HGet(ctx, k.record(id), fieldStatus)
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return false, err
		}
		for _, cmd := range cmds {
			status, _ := cmd.(*redis.StringCmd)
			sums[status.Val()]++
		}
	}
	counts, err := s.rdb.HGetAll(ctx, k.batchCounts(batch)).Result()
	if err != nil {
		return false, err
	}
	for name, counted := range counts {
		if n := number(counted) - sums[name]; !strings.Contains(name, ":") && (n < 0 || n > 0 && !extraction.Status(name).Final()) {
			return false, nil // A name with ":" is one customer's share.
		}
		delete(sums, name)
	}
	delete(sums, "") // Erased since the index was read.
	return len(sums) == 0, nil
}

// leading are the vendor ids and the idempotency keys that lead to one extraction.
type leading struct{ vendorIDs, keys []any }

// audit is what the script of that name says of one extraction.
func (s *Records) audit(ctx context.Context, in Input, by leading) ([]string, error) {
	got, err := s.run(ctx, "audit", in, slices.Concat([]any{NewToken(), len(by.vendorIDs)}, by.vendorIDs, by.keys)...)
	if err != nil {
		return nil, err
	}
	list, _ := got[0].([]any)
	var out []string
	for _, item := range list {
		text, _ := item.(string)
		out = append(out, text)
	}
	return out, nil
}

// led are the ids of an account that any of its keys names, and what leads to each.
func (s *Records) led(ctx context.Context, k keys) (map[string]leading, error) {
	ids := map[string]leading{}
	for _, index := range []string{k.list(), k.due(), k.inFlight(), k.queued(), k.ready(), k.released(), k.line()} {
		members, err := s.rdb.ZRange(ctx, index, 0, -1).Result()
		if err != nil {
			return nil, fmt.Errorf("audit indexes: %w", err)
		}
		for _, m := range members {
			ids[m[strings.LastIndexByte(m, '/')+1:]] = leading{} // The line's are CLASS CUSTOMER/ID.
		}
	}
	if err := s.eachRecord(ctx, k, func(id string) { ids[id] = leading{} }); err != nil {
		return nil, err
	}
	vendorIDs, err := s.rdb.HGetAll(ctx, k.vendorIDs()).Result()
	if err != nil {
		return nil, fmt.Errorf("audit vendor ids: %w", err)
	}
	for vendorID, id := range vendorIDs {
		by := ids[id]
		by.vendorIDs = append(by.vendorIDs, vendorID)
		ids[id] = by
	}
	entries, err := s.rdb.HGetAll(ctx, k.idempotency()).Result()
	if err != nil {
		return nil, fmt.Errorf("audit idempotency keys: %w", err)
	}
	for key, entry := range entries {
		id, _, _ := strings.Cut(entry, " ")
		by := ids[id]
		by.keys = append(by.keys, key)
		ids[id] = by
	}
	return ids, nil
}

// eachRecord calls f for every record there is, whatever leads to it.
func (s *Records) eachRecord(ctx context.Context, k keys, f func(id string)) error {
	scan := func(ctx context.Context, rdb redis.Cmdable) error {
		it := rdb.Scan(ctx, 0, k.record("*"), 1000).Iterator()
		for it.Next(ctx) {
			f(strings.TrimPrefix(it.Val(), k.record("")))
		}
		return it.Err()
	}
	if cluster, ok := s.rdb.(*redis.ClusterClient); ok {
		owner, err := cluster.MasterForKey(ctx, k.list())
		if err != nil {
			return fmt.Errorf("scan records: %w", err)
		}
		return scan(ctx, owner)
	}
	return scan(ctx, s.rdb)
}

// audit is what the store lacks of an extraction; empty where it lacks nothing.
func (b *Blobs) audit(ctx context.Context, s *Records, r Record) (string, error) {
	var err error
	var broken string
	switch {
	case r.Status == extraction.StatusSuccess:
		broken = "its result is in the document store as it was stored"
		_, err = b.Result(ctx, r.ID, r.ResultSeq, r.ResultSum)
	case !r.Status.Final() && r.Document.URL == "" && r.VendorID == "":
		broken = "its document is in the document store"
		var has bool
		if has, err = b.HasDocument(ctx, r.ID); err == nil && !has {
			err = ErrNotFound
		}
	}
	if err == nil {
		return "", nil
	}
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDamaged) {
		return "", err
	}
	// It may have ended, or have been erased, since it was read.
	now, err := s.Get(ctx, r.Account, r.ID)
	if errors.Is(err, ErrNotFound) || err == nil && now.Seq != r.Seq {
		return "", nil
	}
	return broken, err
}
