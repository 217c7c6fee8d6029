package address

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// NewClient returns the one Redis client of a process. It makes no connection before it
// is used.
func NewClient(address string, pool int) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	switch scheme {
	case "redis-cluster":
		o, err := redis.ParseClusterURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		o.PoolSize, o.DisableIdentity = pool, true
		o.MaintNotificationsConfig = noMaintNotifications()
		o.NewClient = func(o *redis.Options) *redis.Client { return renewing(redis.NewClient(o)) }
		return redis.NewClusterClient(o), nil
	case "redis-sentinel":
		o, err := redis.ParseFailoverURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		if o.MasterName == "" {
			return nil, errors.New("master_name is missing")
		}
		o.PoolSize, o.DisableIdentity = pool, true
		return renewing(redis.NewFailoverClient(o)), nil
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, err
	}
	o.PoolSize, o.DisableIdentity = pool, true
	o.MaintNotificationsConfig = noMaintNotifications()
	return renewing(redis.NewClient(o)), nil
}

// renewing lets a client drop its connections to what has become a replica.
func renewing(c *redis.Client) *redis.Client {
	c.AddHook(new(newcomers))
	return c
}

// noMaintNotifications turns off a handshake that only one vendor's servers
// know and that costs every new connection a round trip.
func noMaintNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}
