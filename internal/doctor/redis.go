package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/embedded"
	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/app"
)

// The oldest Redis that the client library works with, and that extractq is
// tested with.
const redisMajor, redisMinor = 7, 0

// redis checks the Redis that is configured, or the one that runs in the data directory.
func (d *checks) redis(ctx context.Context, cfg app.Process) {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*app.PingTimeout, errTooSlow)
	defer cancel()
	redis.SetLogger(app.RedisLogger{Log: cfg.Log})
	where := cfg.Redis
	if where.URL == "" {
		dir, err := app.DataDir(cfg.Data.URL)
		if err != nil {
			d.found("redis", Fix, "%v", err)
			return
		}
		where = address.Server{}
		where.URL, err = embedded.Find(ctx, dir)
		switch {
		case errors.Is(err, embedded.ErrNotRunning):
			d.noRedis()
			return
		case err != nil:
			d.found("redis", Away, "%v", err)
			return
		}
	}
	rdb, err := app.Connect(ctx, where, 4)
	if err != nil {
		d.found("redis", stateOf(err), "%v", err)
		return
	}
	d.rdb = rdb
	nodes, err := redisNodes(ctx, rdb)
	if err != nil {
		d.found("redis", Away, "%v", err)
		return
	}
	for _, node := range nodes {
		name := nodeName(ctx, node, where.URL)
		if d.redisNode(ctx, node, name) {
			d.redisReplicas(ctx, node, name, where.WaitReplicas)
			d.redisClock(ctx, node)
		}
	}
	if strings.Contains(where.URL, "skip_verify=true") {
		d.found("redis", Note, "the URL says skip_verify: any server that answers there is taken for Redis, and gets the password; set redis.tls.ca_file in place of it")
	}
	d.accountClocks(ctx, cfg)
	d.redisWrites(ctx)
	d.redisChannels(ctx)
}

// noRedis says what a command without a Redis would do.
func (d *checks) noRedis() {
	if embedded.Program() == "" {
		d.found("redis", Note, "none is set and none is running: run brings its own, in memory, because there is no redis-server on the PATH; "+
			"worker, scheduler and submit need --redis")
		return
	}
	d.found("redis", OK, "none is set and none is running: run brings its own, with %s; worker, scheduler and submit need --redis", embedded.Program())
}

// redisNodes are the servers that hold data.
func redisNodes(ctx context.Context, rdb redis.UniversalClient) ([]*redis.Client, error) {
	switch c := rdb.(type) {
	case *redis.Client:
		return []*redis.Client{c}, nil
	case *redis.ClusterClient:
		var mu sync.Mutex
		var nodes []*redis.Client
		err := c.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			nodes = append(nodes, node)
			return nil
		})
		return nodes, err
	}
	return nil, fmt.Errorf("redis: unknown kind of client %T", rdb)
}

// nodeName is what a server is called: where many belong together, by its own address.
func nodeName(ctx context.Context, node *redis.Client, where string) string {
	switch addr := node.Options().Addr; {
	case strings.Contains(where, "-sentinel://"):
		info, err := node.ClientInfo(ctx).Result()
		if err != nil {
			return "the master that the Sentinels at " + app.ShownHost(where) + " name"
		}
		return info.LAddr
	case strings.Contains(where, "-cluster://"):
		return addr
	}
	return app.ShownHost(where)
}

// redisNode checks one server by what INFO says: CONFIG is often forbidden. It reports
// whether the server answers.
func (d *checks) redisNode(ctx context.Context, node *redis.Client, name string) bool {
	text, err := node.Info(ctx).Result()
	if redis.IsPermissionError(err) {
		d.found("redis", Note, "%s answers; its version, persistence, memory and whether it is a replica were not checked: "+
			"this user may not run INFO; grant +info +config|get", name)
		return true
	}
	if err != nil {
		d.found("redis", Away, "%s does not answer: %v", name, err)
		return false
	}
	info := parseInfo(text)
	version := info["redis_version"]
	switch {
	case version == "": // The Redis in memory that run brings.
		d.found("redis", Note, "%s keeps everything in memory: what is queued is lost with the process that brought it", name)
		return true
	case !redisIsNew(version):
		d.found("redis", Fix, "%s is Redis %s: extractq needs %d.%d or later", name, version, redisMajor, redisMinor)
	case info["role"] == "slave":
		d.found("redis", Fix, "%s is a replica: name the primary, or use redis-sentinel://", name)
	default:
		d.found("redis", OK, "%s answers: Redis %s", name, version)
	}
	d.redisPersistence(ctx, node, info, name)
	d.redisEviction(info, name)
	return true
}

// redisPersistence reports which failures an accepted document survives.
func (d *checks) redisPersistence(ctx context.Context, node *redis.Client, info map[string]string, name string) {
	const check = "redis persistence"
	found := func(state State, format string, args ...any) { d.found(check, state, name+": "+format, args...) }
	ask := func(parameter string) (string, bool) {
		got, err := node.ConfigGet(ctx, parameter).Result()
		value, known := got[parameter]
		return value, err == nil && known
	}
	appendsync, synced := ask("appendfsync")
	snapshots, known := ask("save")
	switch {
	case info["aof_enabled"] == "1" && info["aof_last_write_status"] == "err":
		found(Fix, "the append-only file cannot be written: look into the log and the disk of Redis")
	case info["aof_enabled"] == "1" && appendsync == "no":
		found(Note, "append-only, and the system decides when it is written: set appendfsync everysec or always")
	case info["aof_enabled"] == "1" && !synced:
		found(Note, "append-only; how often that is synced was not checked: this user may not run CONFIG GET; grant +config|get")
	case info["aof_enabled"] == "1":
		found(OK, "append-only%s", map[string]string{
			"always": ", synced on every write", "everysec": ": a crash of the machine may cost the last second",
		}[appendsync])
	case known && snapshots == "":
		found(Fix, "off: everything that was accepted is lost when Redis ends; set appendonly yes")
	case info["rdb_last_bgsave_status"] == "err":
		found(Fix, "the last snapshot failed: look into the log and the disk of Redis; set appendonly yes")
	case known:
		found(Note, "snapshots only: everything since the last one is lost when Redis crashes; set appendonly yes")
	default:
		found(Note, "not append-only, and whether there are snapshots was not checked: this user may not run CONFIG GET; set appendonly yes, or grant +config|get")
	}
}

// redisEviction checks that Redis evicts no record.
func (d *checks) redisEviction(info map[string]string, name string) {
	found := func(state State, format string, args ...any) {
		d.found("redis memory", state, name+": "+format, args...)
	}
	used, _ := strconv.ParseFloat(info["used_memory"], 64)
	limit, _ := strconv.ParseFloat(info["maxmemory"], 64)
	switch policy := info["maxmemory_policy"]; {
	case policy == "":
		found(Note, "Redis does not say its maxmemory-policy: it must be noeviction")
	case policy != "noeviction":
		found(Fix, "maxmemory-policy is %s: an evicted record is a lost extraction; set noeviction", policy)
	case limit > 0 && used > 0.9*limit:
		found(Fix, "%.0f of %.0f MiB are used: raise maxmemory, or nothing will be accepted soon", used/(1<<20), limit/(1<<20))
	default:
		found(OK, "noeviction, %.0f MiB used", used/(1<<20))
	}
}

// parseInfo reads the lines "name:value" of INFO.
func parseInfo(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[name] = value
		}
	}
	return out
}

// redisIsNew reports whether a version is one that extractq works with.
func redisIsNew(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return true // Whatever it is, it does not follow this numbering.
	}
	return major > redisMajor || major == redisMajor && minor >= redisMinor
}
