package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// Get returns the record of one extraction, or ErrNotFound.
func (s *Records) Get(ctx context.Context, account, id string) (Record, error) {
	found, err := s.GetAll(ctx, []string{account}, id)
	if err != nil {
		return Record{}, err
	}
	if len(found) == 0 {
		return Record{}, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	return found[0], nil
}

// GetAll returns the records that exist among the ids at the accounts, in the
// order of the ids. It takes one round trip.
func (s *Records) GetAll(ctx context.Context, accounts []string, ids ...string) ([]Record, error) {
	refs := make([]ref, 0, len(ids)*len(accounts))
	for _, id := range ids {
		for _, account := range accounts {
			refs = append(refs, ref{account: account, id: id})
		}
	}
	return s.read(ctx, refs)
}

// ref names a record, or a batch, and has its score where it comes from a list.
type ref struct {
	account, id string
	at          int64
}

// read returns the records that exist, in the order of refs, in one round trip.
func (s *Records) read(ctx context.Context, refs []ref) ([]Record, error) {
	type pair struct{ record, detail *redis.MapStringStringCmd }
	asked := make([]pair, len(refs))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, r := range refs {
			k := accountKeys(r.account)
			asked[i] = pair{p.HGetAll(ctx, k.record(r.id)), p.HGetAll(ctx, k.detail(r.id))}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	var out []Record
	for _, a := range asked {
		if len(a.record.Val()) == 0 || len(a.detail.Val()) == 0 {
			continue // The second is empty when an erase fell between the two reads.
		}
		r, err := decodeRecord(a.record.Val(), a.detail.Val())
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Glance is what reconcile must know of a record to decide.
type Glance struct {
	ID       string
	Status   extraction.Status
	Seq      int64
	Step     extraction.Step
	Held     bool
	Lease    time.Time
	Due      time.Time
	Orphaned time.Time
	// Hinted reports a hint that no question to the vendor has answered yet.
	Hinted bool
	// Gone reports a due entry without a record.
	Gone bool
}

// Due returns at most limit extractions of the account that a worker must look
// at, the most overdue first, and the account's time.
func (s *Records) Due(ctx context.Context, account string, limit int64) ([]Glance, time.Time, error) {
	now, err := s.Now(ctx, account)
	if err != nil {
		return nil, time.Time{}, err
	}
	k := accountKeys(account)
	ids, err := s.rdb.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: k.due(), ByScore: true, Start: "-inf", Stop: now.UnixMilli(), Count: limit,
	}).Result()
	if err != nil {
		return nil, now, fmt.Errorf("read due index: %w", err)
	}
	cmds := make([]*redis.SliceCmd, len(ids))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			cmds[i] = p.HMGet(ctx, k.record(id), fieldStatus, fieldSeq, fieldStep, fieldOwner, fieldLease, fieldOrphaned, fieldHint, fieldDue)
		}
		return nil
	})
	if err != nil {
		return nil, now, fmt.Errorf("read due records: %w", err)
	}
	out := make([]Glance, len(ids))
	for i, id := range ids {
		v := cmds[i].Val()
		text := func(j int) string { s, _ := v[j].(string); return s }
		out[i] = Glance{
			ID: id, Status: extraction.Status(text(0)), Seq: number(text(1)), Step: extraction.Step(text(2)),
			Held: text(3) != "", Lease: extraction.FromMillis(number(text(4))).Time,
			Orphaned: extraction.FromMillis(number(text(5))).Time, Hinted: text(6) != "", Due: extraction.FromMillis(number(text(7))).Time, Gone: v[0] == nil,
		}
	}
	return out, now, nil
}

// Batch returns the ids of a batch at an account, oldest first.
func (s *Records) Batch(ctx context.Context, account, batch string) ([]string, error) {
	ids, err := s.rdb.ZRange(ctx, accountKeys(account).batch(batch), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read batch: %w", err)
	}
	return ids, nil
}

// Event is a change of status.
type Event struct {
	// Cursor is where to go on reading after this event.
	Cursor string
	ID     string
	Status extraction.Status
}

// EventCursor is the present end of an account's events.
func (s *Records) EventCursor(ctx context.Context, account string) (string, error) {
	last, err := s.rdb.XRevRangeN(ctx, accountKeys(account).events(), "+", "-", 1).Result()
	if err != nil {
		return "", fmt.Errorf("read events: %w", err)
	}
	if len(last) == 0 {
		return "0-0", nil
	}
	return last[0].ID, nil
}

// Events returns the changes of status after a cursor, oldest first, at most
// limit. The stream is bounded: who falls far behind misses some and must look
// at the records.
func (s *Records) Events(ctx context.Context, account, after string, limit int64) ([]Event, error) {
	got, err := s.rdb.XRangeN(ctx, accountKeys(account).events(), "("+after, "+", limit).Result()
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	out := make([]Event, len(got))
	for i, m := range got {
		id, _ := m.Values["id"].(string)
		status, _ := m.Values["status"].(string)
		out[i] = Event{Cursor: m.ID, ID: id, Status: extraction.Status(status)}
	}
	return out, nil
}

// eventsKept is how many events of an account are kept at least, as in lib.lua.
const eventsKept = 10_000

// EventsMissing reports whether events behind a cursor are kept no longer.
func (s *Records) EventsMissing(ctx context.Context, account, after string) (bool, error) {
	info, err := s.rdb.XInfoStream(ctx, accountKeys(account).events()).Result()
	if err != nil {
		return false, fmt.Errorf("read events: %w", err)
	}
	// Below the bound only deleted extractions have lost theirs.
	return info.EntriesAdded > eventsKept && info.Length > 0 && earlier(after, info.FirstEntry.ID), nil
}

// earlier reports whether one place in a stream is before another.
func earlier(a, b string) bool {
	parse := func(id string) (ms, seq uint64) {
		left, right, _ := strings.Cut(id, "-")
		ms, _ = strconv.ParseUint(left, 10, 64)
		seq, _ = strconv.ParseUint(right, 10, 64)
		return ms, seq
	}
	aMS, aSeq := parse(a)
	bMS, bSeq := parse(b)
	return aMS < bMS || aMS == bMS && aSeq < bSeq
}

// Unknown returns those vendor ids that belong to no extraction of the account
// and have not been noted as foreign.
func (s *Records) Unknown(ctx context.Context, account string, vendorIDs []string) ([]string, error) {
	if len(vendorIDs) == 0 {
		return nil, nil
	}
	k := accountKeys(account)
	var ours *redis.SliceCmd
	var foreign *redis.FloatSliceCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		ours, foreign = p.HMGet(ctx, k.vendorIDs(), vendorIDs...), p.ZMScore(ctx, k.foreign(), vendorIDs...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read vendor ids: %w", err)
	}
	var out []string
	for i, id := range vendorIDs {
		if ours.Val()[i] == nil && foreign.Val()[i] == 0 { // What is not there has no score.
			out = append(out, id)
		}
	}
	return out, nil
}

// foreignKept bounds how many foreign vendor ids are remembered.
const foreignKept = 10_000

// NoteForeign remembers a listed vendor id that no extraction of the account takes, so
// that the vendor is asked about it once. Where its document's name has a token, it is
// remembered under that as well: a repetition of that extraction finds it, also when the
// record has been deleted.
func (s *Records) NoteForeign(ctx context.Context, account, vendorID, token string) error {
	k := accountKeys(account)
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		if token != "" {
			p.ZAdd(ctx, k.strays(), redis.Z{Member: token + " " + vendorID})
			p.ZRemRangeByRank(ctx, k.strays(), 0, -foreignKept-1) // A token is a ULID: the oldest come first.
		}
		p.ZAdd(ctx, k.foreign(), redis.Z{Score: float64(time.Now().Unix()), Member: vendorID})
		p.ZRemRangeByRank(ctx, k.foreign(), 0, -foreignKept-1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("note foreign id: %w", err)
	}
	return nil
}

// NoteUnnamed remembers when a listed vendor id was first found without a name, which is
// now unless it was before, and returns that time.
func (s *Records) NoteUnnamed(ctx context.Context, account, vendorID string, now time.Time) (time.Time, error) {
	k := accountKeys(account)
	var first *redis.FloatCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAddNX(ctx, k.unnamed(), redis.Z{Score: float64(now.UnixMilli()), Member: vendorID})
		p.ZRemRangeByRank(ctx, k.unnamed(), 0, -foreignKept-1)
		first = p.ZScore(ctx, k.unnamed(), vendorID)
		return nil
	})
	if err != nil && !isNil(err) {
		return time.Time{}, fmt.Errorf("note unnamed id: %w", err)
	}
	if first.Err() != nil { // There are too many older ones.
		return now, nil
	}
	return time.UnixMilli(int64(first.Val())), nil
}

// Stray returns the vendor id that was noted under a token; empty for none.
func (s *Records) Stray(ctx context.Context, account, token string) (string, error) {
	got, err := s.rdb.ZRangeByLex(ctx, accountKeys(account).strays(), &redis.ZRangeBy{
		Min: "[" + token + " ", Max: "(" + token + "!", Count: 1,
	}).Result()
	if err != nil || len(got) == 0 {
		return "", err
	}
	return strings.TrimPrefix(got[0], token+" "), nil
}

// UploadURL returns the signed upload URL of an opened submission; empty if
// there is none. It is a secret.
func (s *Records) UploadURL(ctx context.Context, in Input) (string, error) {
	url, err := s.rdb.Get(ctx, accountKeys(in.Account).upload(in.ID)).Result()
	if err != nil && !isNil(err) {
		return "", fmt.Errorf("read upload url: %w", err)
	}
	return url, nil
}
