package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// pingTimeout is how long a Redis may take to answer before it counts as not
// there.
const pingTimeout = 5 * time.Second

// connect opens the one Redis client of the process and makes sure that
// somebody answers. redis, rediss, unix, redis-sentinel and redis-cluster are
// the schemes.
func connect(ctx context.Context, address string, pool int) (redis.UniversalClient, error) {
	rdb, err := newRedis(address, pool)
	if err != nil {
		// The library's error may repeat the address with its password.
		return nil, usage("redis: the address is not a valid URL")
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := rdb.Ping(ctx).Err(); err != nil {
		_ = rdb.Close()
		return nil, unavailable(fmt.Errorf("redis at %s does not answer: %w; start it, or set --redis", host(address), err))
	}
	return rdb, nil
}

func newRedis(address string, pool int) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	switch scheme {
	case "redis-cluster":
		o, err := redis.ParseClusterURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		o.PoolSize, o.DisableIdentity = pool, true
		o.MaintNotificationsConfig = noMaintNotifications()
		return redis.NewClusterClient(o), nil
	case "redis-sentinel":
		o, err := redis.ParseFailoverURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		o.PoolSize, o.DisableIdentity = pool, true
		return redis.NewFailoverClient(o), nil
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, err
	}
	o.PoolSize, o.DisableIdentity = pool, true
	o.MaintNotificationsConfig = noMaintNotifications()
	return redis.NewClient(o), nil
}

// noMaintNotifications turns off a handshake that only one vendor's servers
// know and that costs every new connection a round trip.
func noMaintNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
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
