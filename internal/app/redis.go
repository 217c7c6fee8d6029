package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/embedded"
	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/errkind"
)

// PingTimeout is how long Redis may take to respond before it counts as away.
const PingTimeout = 5 * time.Second

// Connect opens a Redis client and makes sure that Redis responds. An error is of kind
// Unavailable only if the same request may succeed later.
func Connect(ctx context.Context, where address.Server, pool int) (redis.UniversalClient, error) {
	rdb, err := address.NewClient(where, pool)
	if errors.Is(err, address.ErrURL) {
		scheme, _, _ := strings.Cut(where.URL, "://")
		return nil, errkind.Usagef("redis: %w; want one such as %s", err, exampleURL[scheme])
	}
	if err != nil {
		return nil, errkind.Usagef("redis: %w", err)
	}
	crash.Redis(rdb)
	ctx, cancel := context.WithTimeout(ctx, PingTimeout)
	defer cancel()
	if err := rdb.Ping(ctx).Err(); err != nil {
		_ = rdb.Close()
		return nil, refusal(ctx, where, err)
	}
	return rdb, nil
}

// refusal is why a Redis could not be used, with what to do about it.
func refusal(ctx context.Context, where address.Server, err error) error {
	why := address.Why(ctx, where, err)
	if why == "" {
		return errkind.MarkUnavailable(fmt.Errorf("redis at %s does not answer: %w; start it, or set --redis", ShownHost(where.URL), err))
	}
	return errkind.Usagef("redis at %s: %s (%w)", ShownHost(where.URL), why, err)
}

// exampleURL are addresses that work, by their scheme.
var exampleURL = map[string]string{
	"redis": "redis://:PASSWORD@127.0.0.1:6379/0", "rediss": "rediss://:PASSWORD@redis.example:6380/0",
	"unix": "unix:///run/redis.sock?db=0", "redis-cluster": "redis-cluster://10.0.0.1:6379?addr=10.0.0.2:6379",
	"rediss-cluster":  "rediss-cluster://10.0.0.1:6379?addr=10.0.0.2:6379",
	"redis-sentinel":  "redis-sentinel://10.0.0.1:26379/0?master_name=mymaster&addr=10.0.0.2:26379",
	"rediss-sentinel": "rediss-sentinel://10.0.0.1:26379/0?master_name=mymaster&addr=10.0.0.2:26379",
}

// ShownHost is the part of a Redis address that may be shown.
func ShownHost(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the given address"
	}
	if u.Host == "" {
		return u.Path
	}
	return u.Host
}

// locate sets the address of Redis, and starts one if it must.
func (s *Services) locate(ctx context.Context, cfg Process, bring bool) (err error) {
	redis.SetLogger(RedisLogger{cfg.Log})
	if s.Address = cfg.Redis; s.Address.URL != "" {
		return nil
	}
	if cfg.Redis.WaitReplicas > 0 {
		return errkind.Usagef("redis.wait_replicas: the Redis in the data directory has no replicas; name one that has them (redis.url, --redis)")
	}
	s.Address = address.Server{}
	s.Address.URL, err = s.embedded(ctx, cfg, bring)
	return err
}

// embedded starts a Redis, or finds the one that runs in the data directory.
func (s *Services) embedded(ctx context.Context, cfg Process, bring bool) (string, error) {
	dir, err := DataDir(cfg.Data.URL)
	if err != nil {
		return "", err
	}
	if !bring {
		found, err := embedded.Find(ctx, dir)
		if err != nil {
			return "", errkind.MarkUnavailable(err)
		}
		return found, nil
	}
	r, err := embedded.Start(ctx, embedded.Config{Dir: dir, Bound: cfg.Scratch, Logger: cfg.Log})
	if err != nil {
		return "", errkind.MarkUnavailable(err)
	}
	EndAtOnce(ctx, r.Abandon)
	s.Persistent = r.Persistent
	s.closers = append(s.closers, r.Close)
	return r.URL, nil
}

// poolSize is the number of connections that the process may need at once: for every slot
// of every account, its heartbeats, and asynq's own loops. They are opened on demand, and
// there are enough for accounts that a reload adds.
func poolSize(cfg Process) int {
	return 32 + 2*cfg.Worker.Concurrency*max(8, len(cfg.Accounts))
}

// RedisLogger logs go-redis's own messages.
type RedisLogger struct{ Log *slog.Logger }

// Printf implements the logger of go-redis.
func (l RedisLogger) Printf(ctx context.Context, format string, args ...any) {
	l.Log.DebugContext(ctx, "redis", slog.String("message", fmt.Sprintf(format, args...)))
}

// Reach finds Redis, or starts one, and connects to it. A server role waits for a Redis
// that is away, and logs that it does.
func (s *Services) Reach(ctx context.Context, cfg Process, bring bool, pool int) error {
	over := time.Now().Add(cfg.WaitRedis)
	for said := false; ; said = true {
		var err error
		if !bring || !said { // One that was started stays where it is.
			err = s.locate(ctx, cfg, bring)
		}
		if err != nil && bring {
			return err // Waiting does not help if it cannot be started.
		}
		if err == nil {
			err = s.connect(ctx, pool)
		}
		if err == nil || errkind.Of(err) != errkind.Unavailable || !time.Now().Before(over) || ctx.Err() != nil {
			return err
		}
		if !said {
			cfg.Log.WarnContext(ctx, "waiting for Redis", slog.Duration("at_most", cfg.WaitRedis), slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(min(time.Second, time.Until(over))):
		}
	}
}

// connect connects to the Redis at the address.
func (s *Services) connect(ctx context.Context, pool int) (err error) {
	if s.RDB, err = Connect(ctx, s.Address, pool); err != nil {
		return err
	}
	s.closers = append(s.closers, s.RDB.Close)
	return nil
}

// ShownURL is an address without its password.
func ShownURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the given address"
	}
	return u.Redacted()
}
