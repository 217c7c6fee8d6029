package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrNotReplicated is returned where too few replicas have confirmed a record. The record is
// there, and its work goes on.
var ErrNotReplicated = errors.New("too few replicas have the record (redis.wait_replicas)")

// replicaPatience is how long replicas may take to confirm: less than what the client waits
// for any reply.
const replicaPatience = 2 * time.Second

// replicated is the key that Replicated writes for an account. It holds nothing.
func (k keys) replicated() string { return k.prefix + "replicated" }

// presentScript writes something behind a record that is there: whatever has the later write
// has the record.
var presentScript = redis.NewScript(`if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], '', 'EX', 60) return 1`)

// Replicated returns once n replicas have an extraction's record, and ErrNotReplicated where
// they do not in time. Redis waits for what the same connection wrote, on the server that has
// the key: so the write before the wait is one of its own, and goes in the same pipeline.
func (s *Records) Replicated(ctx context.Context, account, id string, n int) error {
	if n <= 0 {
		return nil
	}
	k := accountKeys(account)
	keys := []string{k.record(id), k.replicated()}
	for try := 0; ; try++ {
		there, confirmed, err := s.waitFor(ctx, keys, n)
		switch {
		case err != nil && moved(err) && try < 3:
			if c, ok := s.rdb.(*redis.ClusterClient); ok {
				c.ReloadState(ctx)
			}
			continue
		case err != nil:
			return fmt.Errorf("wait for replicas of %s: %w", id, err)
		case !there:
			return fmt.Errorf("wait for replicas of %s: %w", id, ErrNotFound)
		case confirmed < n:
			return fmt.Errorf("wait for replicas of %s: %w: %d of %d", id, ErrNotReplicated, confirmed, n)
		}
		return nil
	}
}

func (s *Records) waitFor(ctx context.Context, keys []string, n int) (there bool, confirmed int, err error) {
	var master redis.Cmdable = s.rdb
	if c, ok := s.rdb.(*redis.ClusterClient); ok {
		if master, err = c.MasterForKey(ctx, keys[0]); err != nil {
			return false, 0, err
		}
	}
	var present *redis.Cmd
	var waited *redis.Cmd
	_, err = master.Pipelined(ctx, func(p redis.Pipeliner) error {
		present = presentScript.Eval(ctx, p, keys)
		waited = p.Do(ctx, "WAIT", n, replicaPatience.Milliseconds())
		return nil
	})
	if err != nil {
		return false, 0, err
	}
	is, err := present.Int()
	confirmed, waitErr := waited.Int()
	return is == 1, confirmed, errors.Join(err, waitErr)
}

// moved reports whether another server of a Cluster has the key by now.
func moved(err error) bool {
	return strings.HasPrefix(err.Error(), "MOVED ") || strings.HasPrefix(err.Error(), "ASK ")
}
