package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
	"gocloud.dev/gcerrors"
)

// metaKey is a hash with what belongs to no account: the identity of the pair
// and the version of what Redis holds.
const metaKey = "extractq:meta"

// The fields of metaKey.
const (
	metaStore   = "store"
	metaRedis   = "redis"
	metaVersion = "version"
)

// identityKey is the blob with the document store's side of the identity.
const identityKey = "identity"

// ErrOtherStore is returned where a Redis and a document store do not belong
// together.
var ErrOtherStore = errors.New("not the document store that the others use")

// identity says which document store and which Redis belong together. Both
// sides hold it. Redis must be the same only for DeleteUnreferenced: one that was
// emptied goes on with the store, but what the store holds may be another's.
type identity struct {
	Store string `json:"store"`
	Redis string `json:"redis"`
	// Embedded says, on the store's side, that only a Redis that lives in the
	// store's directory has ever used it.
	Embedded bool `json:"embedded,omitempty"`
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
// both; afterwards anything else is ErrOtherStore. own is for a Redis that lives in
// the store's directory: it takes the store into its possession, if only such ones
// have used it. A server's store stays the server's.
func Pair(ctx context.Context, s *Records, b *Blobs, own bool) error {
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
	if here.Store == "" {
		here, there, err = enrol(ctx, s, b, there, own)
		if err != nil {
			return err
		}
	}
	if err := here.match(there); err != nil {
		return err
	}
	switch {
	case here.Redis == there.Redis || !there.Embedded:
		return nil
	case own:
		there.Redis = here.Redis
	default:
		there.Embedded = false
	}
	return b.identify(ctx, there)
}

// CheckPair is Pair for somebody who only looks: it writes nothing, and a Redis
// without an identity belongs to any store. b is nil for a store that does not
// exist yet.
func CheckPair(ctx context.Context, s *Records, b *Blobs) error {
	here, err := s.identity(ctx)
	if err != nil || here.Store == "" {
		return err
	}
	var there identity
	if b != nil {
		if there, err = b.identity(ctx); err != nil {
			return err
		}
	}
	return here.match(there)
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
func enrol(ctx context.Context, s *Records, b *Blobs, there identity, own bool) (identity, identity, error) {
	mine := identity{Store: there.Store, Redis: NewID(), Embedded: own}
	created := false
	if there.Store == "" {
		mine.Store = NewID()
		body, err := json.Marshal(mine)
		if err != nil {
			return mine, there, err
		}
		if created, err = b.putOnce(ctx, identityKey, body); err != nil {
			return mine, there, fmt.Errorf("document store: write identity: %w", err)
		}
		if there, err = b.identity(ctx); err != nil {
			return mine, there, err
		}
		mine = there
	}
	_, err := s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSetNX(ctx, metaKey, metaStore, mine.Store)
		p.HSetNX(ctx, metaKey, metaRedis, mine.Redis)
		p.HSetNX(ctx, metaKey, metaVersion, strconv.Itoa(recordVersion))
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
	m, err := s.rdb.HMGet(ctx, metaKey, metaStore, metaRedis).Result()
	if err != nil {
		return identity{}, fmt.Errorf("read identity: %w", err)
	}
	store, _ := m[0].(string)
	name, _ := m[1].(string)
	return identity{Store: store, Redis: name}, nil
}

// identity is the document store's side; empty if it has none.
func (b *Blobs) identity(ctx context.Context) (identity, error) {
	var id identity
	body, err := b.bucket.ReadAll(ctx, identityKey)
	if gcerrors.Code(err) == gcerrors.NotFound {
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
