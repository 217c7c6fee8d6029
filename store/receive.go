package store

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// What is kept about an idempotency key while its request is being received is
// there for early and clear answers. That one key gives one extraction is held by
// Create alone.

// receiving is the mark of a request that is being received, of one account.
func (k keys) receiving(key string) string { return k.prefix + "rcv:" + key }

//go:embed receive.lua
var receiveLua string

var receiveScript = redis.NewScript(receiveLua)

// receivingFor is how long the mark of a process that died stays.
const receivingFor = 10 * time.Second

// Receive notes that a request with an idempotency key is being received, until the
// returned function is called or ctx ends. ok is false while another one is.
func (s *Records) Receive(ctx context.Context, account, key string) (done func(), ok bool, err error) {
	name, token := accountKeys(account).receiving(key), NewToken()
	ok, err = s.rdb.SetNX(ctx, name, token, receivingFor).Result()
	if err != nil {
		return nil, false, fmt.Errorf("note request: %w", err)
	}
	if !ok {
		return nil, false, nil
	}
	keep := func(ctx context.Context, d time.Duration) {
		// Where it fails the next one tries again, or the mark lapses.
		_ = receiveScript.Run(ctx, s.rdb, []string{name}, token, d.Milliseconds()).Err()
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(receivingFor / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				keep(ctx, receivingFor)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		keep(ctx, 0)
	}, true, nil
}

const (
	// boundFor is how long an idempotency key is known to belong to an account, beside
	// the retention: an extraction may wait for weeks before it ends.
	boundFor = 30 * 24 * time.Hour
	// unboundFor is how long it is known after its extraction was erased: another request
	// with it may be on its way.
	unboundFor = time.Hour
)

// boundKey says which account an idempotency key was used for last.
func boundKey(key string) string { return "extractq:idem:" + key }

// Bind notes that an idempotency key is used for an account. It returns the account
// that it was used for before, where that one has an extraction with it or receives a
// request for one. kept is how long what ends is kept. Call it after Receive, so that of
// two accounts at once one sees the other.
func (s *Records) Bind(ctx context.Context, account, key string, kept time.Duration) (other string, err error) {
	bound, err := s.rdb.SetArgs(ctx, boundKey(key), account, redis.SetArgs{Get: true, TTL: boundFor + kept}).Result()
	if isNil(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("bind idempotency key: %w", err)
	}
	if bound == account {
		return "", nil
	}
	// In this order: the mark goes when the extraction is there.
	receiving, err := s.rdb.Exists(ctx, accountKeys(bound).receiving(key)).Result()
	if err != nil {
		return "", fmt.Errorf("bind idempotency key: %w", err)
	}
	first, err := s.Repeated(ctx, bound, key)
	if err != nil || first == nil && receiving == 0 {
		return "", err
	}
	// It stays with the one that has it.
	if err := s.rdb.Set(ctx, boundKey(key), bound, boundFor+kept).Err(); err != nil {
		return "", fmt.Errorf("bind idempotency key: %w", err)
	}
	return bound, nil
}

// unbind lets go of an idempotency key whose extraction has been erased, also where its
// caller stops now. Where it fails, the key goes in its own time.
func (s *Records) unbind(ctx context.Context, account, key string) {
	ctx = context.WithoutCancel(ctx)
	_ = receiveScript.Run(ctx, s.rdb, []string{boundKey(key)}, account, unboundFor.Milliseconds()).Err()
}
