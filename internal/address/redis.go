package address

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/extractq/extractq/internal/secret"
)

// Server says where the queues and records are, and how a process proves to Redis who it is.
type Server struct {
	// URL says where: redis://, redis-sentinel:// or redis-cluster://, with rediss for TLS,
	// or unix://. Empty means the embedded one.
	URL string
	// Username is for the servers that hold data. One in the URL comes first, and a
	// Sentinel's own is always in the URL.
	Username string
	// Password belongs to it, and is written as it is, with any characters.
	Password secret.Secret
	// TLS is for a URL with TLS.
	TLS TLS
	// WaitReplicas is the number of replicas that must have a record before it
	// counts as accepted. Default 0; at most 10, above which no Redis is run.
	WaitReplicas int
}

// NewClient returns the one Redis client of a process; no other place makes one. It makes no connection before it is
// used. Its errors do not repeat the URL, which may hold a password.
func NewClient(s Server, pool int) (redis.UniversalClient, error) {
	o, err := s.options()
	if err != nil {
		return nil, err
	}
	switch {
	case o.cluster != nil:
		o.cluster.PoolSize = pool
		return redis.NewClusterClient(o.cluster), nil
	case o.sentinel != nil:
		o.sentinel.PoolSize = pool
		return renewing(redis.NewFailoverClient(o.sentinel)), nil
	}
	o.single.PoolSize = pool
	return renewing(redis.NewClient(o.single)), nil
}

// options are those of the one kind of client that the URL asks for.
type options struct {
	single   *redis.Options
	sentinel *redis.FailoverOptions
	cluster  *redis.ClusterOptions
}

func (s Server) options() (o options, err error) {
	scheme, rest, _ := strings.Cut(s.URL, "://")
	plain, kind, _ := strings.Cut(scheme, "-")
	url := plain + "://" + rest
	switch kind {
	case "cluster":
		o.cluster, err = redis.ParseClusterURL(url)
	case "sentinel":
		o.sentinel, err = redis.ParseFailoverURL(url)
	default:
		o.single, err = redis.ParseURL(url)
	}
	if err != nil {
		return o, ErrURL // The library's error may repeat the password.
	}
	switch {
	case o.cluster != nil:
		c := o.cluster
		c.DisableIdentity, c.MaintNotificationsConfig = true, noMaintNotifications()
		c.NewClient = func(o *redis.Options) *redis.Client { return renewing(redis.NewClient(o)) }
		s.credentials(&c.Username, &c.Password)
		// The library would compare every node's certificate with the first one's name.
		return o, s.TLS.apply(c.TLSConfig, "")
	case o.sentinel != nil:
		c := o.sentinel
		if c.MasterName == "" {
			return o, fmt.Errorf("%w: master_name is missing", ErrURL)
		}
		c.DisableIdentity = true
		s.credentials(&c.Username, &c.Password)
		return o, s.TLS.apply(c.TLSConfig, "")
	}
	c := o.single
	c.DisableIdentity, c.MaintNotificationsConfig = true, noMaintNotifications()
	s.credentials(&c.Username, &c.Password)
	name := ""
	if c.TLSConfig != nil {
		name = c.TLSConfig.ServerName
	}
	return o, s.TLS.apply(c.TLSConfig, name)
}

// ErrURL is returned for an address that is not a valid URL.
var ErrURL = errors.New("the address is not a valid URL")

// credentials sets those that are given beside the URL, unless the URL has its own.
func (s Server) credentials(username, password *string) {
	if *username == "" && *password == "" {
		*username, *password = s.Username, s.Password.Reveal()
	}
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
