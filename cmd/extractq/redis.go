package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/errkind"
)

// pingTimeout is how long a Redis may take to answer before it counts as not
// there.
const pingTimeout = 5 * time.Second

// connect opens the one Redis client of the process and makes sure that
// somebody answers. redis, rediss, unix, redis-sentinel and redis-cluster are
// the schemes.
func connect(ctx context.Context, where string, pool int) (redis.UniversalClient, error) {
	rdb, err := address.NewClient(where, pool)
	if err != nil {
		// The library's error may repeat the address with its password.
		scheme, _, _ := strings.Cut(where, "://")
		return nil, errkind.Usagef("redis: the address is not a valid URL; want one such as %s", exampleURL[scheme])
	}
	crash.Redis(rdb)
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := rdb.Ping(ctx).Err(); err != nil {
		_ = rdb.Close()
		return nil, errkind.MarkUnavailable(fmt.Errorf("redis at %s does not answer: %w; start it, or set --redis", host(where), err))
	}
	return rdb, nil
}

// exampleURL are addresses that work, by their scheme.
var exampleURL = map[string]string{
	"redis": "redis://:PASSWORD@127.0.0.1:6379/0", "rediss": "rediss://:PASSWORD@redis.example:6380/0",
	"unix": "unix:///run/redis.sock?db=0", "redis-cluster": "redis-cluster://10.0.0.1:6379?addr=10.0.0.2:6379",
	"redis-sentinel": "redis-sentinel://10.0.0.1:26379/0?master_name=mymaster&addr=10.0.0.2:26379",
}

// host is the part of a Redis address that may be shown.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the given address"
	}
	if u.Host == "" {
		return u.Path
	}
	return u.Host
}
