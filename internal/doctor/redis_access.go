package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// rights is what to do about a user that lacks some.
const rights = `give it those in docs/operating.md ("A user for extractq")`

// redisWrites checks that this user may write, run scripts, and read what a
// newer extractq has not written.
func (d *checks) redisWrites(ctx context.Context) {
	const check = "redis access"
	records, err := store.NewRecords(d.rdb)
	if err == nil {
		err = records.CheckVersion(ctx)
	}
	if errors.Is(err, store.ErrNewer) {
		d.found(check, Fix, "%v; update extractq", err)
		return
	}
	for _, prefix := range []string{"extractq:", "asynq:"} {
		if err == nil {
			// If the process dies here, the key expires after a minute.
			key := prefix + "{doctor}:" + store.NewID()
			err = d.rdb.Eval(ctx, `redis.call('TIME') redis.call('SET', KEYS[1], '1', 'EX', 60) return redis.call('DEL', KEYS[1])`, []string{key}).Err()
		}
	}
	switch {
	case err == nil:
		d.found(check, OK, "writes and runs scripts")
	case forbidden(err):
		d.found(check, Fix, "this user may not do what extractq must: %v; %s", err, rights)
	case redis.IsReadOnlyError(err), redis.IsOOMError(err), redis.HasErrorPrefix(err, "MISCONF"):
		d.found(check, Fix, "Redis takes no writes: %v", err)
	default:
		d.found(check, Away, "%v", err)
	}
}

// forbidden reports whether the user lacks a right. What a script is refused comes as an error
// of the script.
func forbidden(err error) bool {
	return err != nil && (redis.IsPermissionError(err) || strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), "The user executing the script") || strings.Contains(err.Error(), "ACL failure in script"))
}

// redisChannels checks that this user may listen and publish. A new user of Redis may not.
func (d *checks) redisChannels(ctx context.Context) {
	const check = "redis channels"
	for _, channel := range queue.Channels {
		err := d.listens(ctx, channel)
		if err == nil {
			err = d.rdb.Publish(ctx, channel, "").Err() // It is the name of no queue and of no task.
		}
		switch {
		case forbidden(err):
			d.found(check, Fix, "this user may not use the channel %s: workers find new tasks late and cannot be told to cancel one; %s", channel, rights)
			return
		case err != nil:
			d.found(check, Away, "%s: %v", channel, err)
			return
		}
	}
	d.found(check, OK, "listens and publishes")
}

func (d *checks) listens(ctx context.Context, channel string) error {
	messages := d.rdb.Subscribe(ctx, channel)
	defer func() { _ = messages.Close() }()
	_, err := messages.Receive(ctx)
	return err
}

// redisReplicas checks that a server has as many replicas as redis.wait_replicas asks for.
func (d *checks) redisReplicas(ctx context.Context, node *redis.Client, name string, want int) {
	const check = "redis replicas"
	if want == 0 {
		return
	}
	n, err := node.Wait(ctx, 0, time.Second).Result()
	switch {
	case forbidden(err):
		d.found(check, Fix, "this user may not run WAIT, which redis.wait_replicas needs; %s", rights)
	case err != nil:
		d.found(check, Away, "%s: %v", name, err)
	case int(n) < want:
		d.found(check, Fix, "%s has %d replicas, and redis.wait_replicas asks for %d: nothing is accepted", name, n, want)
	default:
		d.found(check, OK, "%s has %d", name, n)
	}
}
