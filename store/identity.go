package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
	"github.com/redis/go-redis/v9"
)

// metaKey is a hash with what belongs to no account: the identity of the pair
// and the version of what Redis holds.
const metaKey = "extractq:meta"

// The fields of metaKey.
const (
	metaStore   = "store"
	metaRedis   = "redis"
	metaVersion = "version"
	metaSince   = "since"
)

// identityKey is the blob with the document store's side of the identity.
const identityKey = "identity"

// ErrOtherStore is returned where a Redis and a document store do not belong
// together.
var ErrOtherStore = errors.New("not the document store that the others use")

// ErrEmptyRedis is returned where a Redis holds nothing and the document store holds
// extractions: their records are lost, or are in another Redis.
var ErrEmptyRedis = errors.New("the Redis is empty, but the document store holds extractions")

// identity says which document store and which Redis belong together. Both sides hold
// it. A Redis may work with a store that belongs to another one, as in memory beside
// it, but DeleteUnreferenced deletes nothing there.
type identity struct {
	Store string `json:"store"`
	Redis string `json:"redis"`
	// Since is when this Redis was accepted, empty, beside a store that held
	// extractions: in milliseconds by the store's clock, 0 for never. What is older
	// may be wanted, whatever the records say.
	Since int64 `json:"since,omitempty"`
	// Embedded says, on the store's side, that only a Redis that lives in the
	// store's directory has ever used it, and Volatile that only such ones in memory
	// have.
	Embedded bool `json:"embedded,omitempty"`
	Volatile bool `json:"volatile,omitempty"`
}

// Terms are what a process knows of its Redis.
type Terms struct {
	// Own says that it lives in the store's directory, and Volatile that it is in
	// memory besides: it is meant to forget.
	Own, Volatile bool
	// AcceptEmpty lets an empty one go on beside a store that holds extractions.
	AcceptEmpty bool
}

// CheckVersion returns ErrNewer if a newer version of extractq wrote into this
// Redis what this one cannot read.
func (s *Records) CheckVersion(ctx context.Context) error {
	text, err := s.rdb.HGet(ctx, metaKey, metaVersion).Result()
	if err != nil && !isNil(err) {
		return fmt.Errorf("read version: %w", err)
	}
	if v := number(text); v > recordVersion {
		return fmt.Errorf("%w: redis holds version %d, this binary knows %d", ErrNewer, v, recordVersion)
	}
	return nil
}

// Pair makes sure that a Redis and a document store belong together, and that
// this binary can read what they hold. The first process writes an identity to
// both; afterwards another store is ErrOtherStore, and an empty Redis beside a store
// with extractions is ErrEmptyRedis, unless the terms accept it. A Redis that lives in
// the store's directory takes over a store that only such ones have used.
func Pair(ctx context.Context, s *Records, b *Blobs, t Terms) error {
	if err := s.CheckVersion(ctx); err != nil {
		return err
	}
	here, err := s.identity(ctx) // Read first: it is written last.
	if err != nil {
		return err
	}
	there, err := b.identity(ctx)
	if err != nil {
		return err
	}
	isNew := here.Store == ""
	if isNew {
		here, there, err = enrol(ctx, s, b, there, t)
		if err != nil {
			return err
		}
	}
	if err := here.match(there); err != nil {
		return err
	}
	b.pair.Store(&here)
	if here.Redis == there.Redis {
		return nil
	}
	next := there
	next.Embedded = there.Embedded && t.Own
	next.Volatile = there.Volatile && t.Volatile
	// The latest to be accepted has the store, also where the process that accepted it
	// died before it had written so.
	if here.Since > there.Since || isNew && next.Embedded && next.Volatile == t.Volatile {
		next.Redis, next.Since = here.Redis, here.Since
	}
	if next == there {
		return nil
	}
	return b.identify(ctx, next)
}

// match returns ErrOtherStore unless a store's side has the identity of Redis's.
func (i identity) match(there identity) error {
	switch {
	case there.Store == "":
		return fmt.Errorf("%w: that one has the identity %s, this one has none", ErrOtherStore, i.Store)
	case i.Store != there.Store:
		return fmt.Errorf("%w: that one has the identity %s, this one has %s", ErrOtherStore, i.Store, there.Store)
	}
	return nil
}

// enrol gives an identity to a Redis that has none, and before that to a store
// that has none. Of many processes at once one is first, for all.
func enrol(ctx context.Context, s *Records, b *Blobs, there identity, t Terms) (identity, identity, error) {
	mine := identity{Store: there.Store, Redis: NewID(), Since: there.Since}
	held, err := b.holdsExtractions(ctx)
	if err != nil {
		return mine, there, err
	}
	if held {
		// Another process may have been first, and these may be its extractions.
		if here, err := s.identity(ctx); err != nil || here.Store != "" {
			return here, there, err
		}
		// What only a Redis in memory has used was meant to be forgotten.
		if !t.AcceptEmpty && !t.Volatile && !there.Volatile {
			return mine, there, ErrEmptyRedis
		}
	}
	if held && (!t.Volatile || there.Store == "") {
		now, err := b.now(ctx)
		if err != nil {
			return mine, there, err
		}
		mine.Since = now.UnixMilli() + 1
	}
	created := false
	if there.Store == "" {
		mine.Store, mine.Embedded, mine.Volatile = NewID(), t.Own, t.Volatile
		body, err := json.Marshal(mine)
		if err != nil {
			return mine, there, err
		}
		if created, err = b.create(ctx, identityKey, bytes.NewReader(body)); err != nil {
			return mine, there, fmt.Errorf("document store: write identity: %w", err)
		}
		if there, err = b.identity(ctx); err != nil {
			return mine, there, err
		}
		mine = there
	}
	_, err = s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSetNX(ctx, metaKey, metaStore, mine.Store)
		p.HSetNX(ctx, metaKey, metaRedis, mine.Redis)
		p.HSetNX(ctx, metaKey, metaVersion, strconv.Itoa(recordVersion))
		if mine.Since > 0 {
			p.HSetNX(ctx, metaKey, metaSince, strconv.FormatInt(mine.Since, 10))
		}
		return nil
	})
	if err != nil {
		return mine, there, fmt.Errorf("write identity: %w", err)
	}
	here, err := s.identity(ctx)
	if err == nil && created && here.Store == there.Store && here.Redis != there.Redis {
		// Another process took the new store for one that was used before.
		there.Redis = here.Redis
		err = b.identify(ctx, there)
	}
	return here, there, err
}

// identity is Redis's side.
func (s *Records) identity(ctx context.Context) (identity, error) {
	m, err := s.rdb.HMGet(ctx, metaKey, metaStore, metaRedis, metaSince).Result()
	if err != nil {
		return identity{}, fmt.Errorf("read identity: %w", err)
	}
	store, _ := m[0].(string)
	name, _ := m[1].(string)
	since, _ := m[2].(string)
	return identity{Store: store, Redis: name, Since: number(since)}, nil
}

// identity is the document store's side; empty if it has none.
func (b *Blobs) identity(ctx context.Context) (identity, error) {
	var id identity
	body, err := b.read(ctx, identityKey)
	if errors.Is(err, fs.ErrNotExist) {
		return id, nil
	}
	if err == nil {
		err = json.Unmarshal(body, &id)
	}
	if err != nil {
		return id, fmt.Errorf("document store: read identity: %w", err)
	}
	return id, nil
}

// holdsExtractions reports whether there is anything of any extraction.
func (b *Blobs) holdsExtractions(ctx context.Context) (bool, error) {
	for o, err := range b.bucket.List(ctx, "") {
		if err != nil {
			return false, fmt.Errorf("list blobs: %w", err)
		}
		if _, _, ok := extractionOf(o.Key); ok {
			return true, nil
		}
	}
	return false, nil
}

// extractionOf is the extraction and the part that a blob is of.
func extractionOf(key string) (id, part string, ok bool) {
	id, part, ok = strings.Cut(key, "/")
	_, err := ulid.ParseStrict(id)
	return id, part, ok && err == nil
}

// identify replaces the document store's side.
func (b *Blobs) identify(ctx context.Context, id identity) error {
	body, err := json.Marshal(id)
	if err == nil {
		err = b.put(ctx, identityKey, bytes.NewReader(body))
	}
	if err != nil {
		return fmt.Errorf("document store: write identity: %w", err)
	}
	return nil
}
