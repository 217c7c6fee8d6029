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
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/store"
)

// The oldest Redis that the client library works with, and that extractq is
// tested with.
const redisMajor, redisMinor = 7, 0

// redis checks the Redis that is configured, or the one that runs in the data directory.
func (d *checks) redis(ctx context.Context, cfg app.Process) {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*app.PingTimeout, errTooSlow)
	defer cancel()
	redis.SetLogger(app.RedisLogger{Log: cfg.Log})
	address := cfg.Redis.URL
	if address == "" {
		dir, err := app.DataDir(cfg.Data.URL)
		if err != nil {
			d.found("redis", Fix, "%v", err)
			return
		}
		address, err = embedded.Find(ctx, dir)
		switch {
		case errors.Is(err, embedded.ErrNotRunning):
			d.noRedis()
			return
		case err != nil:
			d.found("redis", Away, "%v", err)
			return
		}
	}
	rdb, err := app.Connect(ctx, address, 4)
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
		d.redisNode(ctx, node, app.ShownHost(address))
		d.redisClock(ctx, node)
	}
	d.accountClocks(ctx, cfg)
	d.redisWrites(ctx)
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

// redisNode checks one server by what INFO says: CONFIG is often forbidden.
func (d *checks) redisNode(ctx context.Context, node *redis.Client, name string) {
	text, err := node.Info(ctx).Result()
	if err != nil {
		d.found("redis", Note, "%s answers, but does not describe itself: %v", name, err)
		return
	}
	info := parseInfo(text)
	version := info["redis_version"]
	switch {
	case version == "": // The Redis in memory that run brings.
		d.found("redis", Note, "%s keeps everything in memory: what is queued is lost with the process that brought it", name)
		return
	case !redisIsNew(version):
		d.found("redis", Fix, "%s is Redis %s: extractq needs %d.%d or later", name, version, redisMajor, redisMinor)
	case info["role"] == "slave":
		d.found("redis", Fix, "%s is a replica: name the primary, or use redis-sentinel://", name)
	default:
		d.found("redis", OK, "%s answers: Redis %s", name, version)
	}
	d.redisPersistence(ctx, node, info)
	d.redisEviction(info)
}

// redisPersistence reports which failures an accepted document survives.
func (d *checks) redisPersistence(ctx context.Context, node *redis.Client, info map[string]string) {
	const check = "redis persistence"
	ask := func(parameter string) (string, bool) {
		got, err := node.ConfigGet(ctx, parameter).Result()
		value, known := got[parameter]
		return value, err == nil && known
	}
	appendsync, _ := ask("appendfsync")
	snapshots, known := ask("save")
	switch {
	case info["aof_enabled"] == "1" && info["aof_last_write_status"] == "err":
		d.found(check, Fix, "the append-only file cannot be written: look into the log and the disk of Redis")
	case info["aof_enabled"] == "1" && appendsync == "no":
		d.found(check, Note, "append-only, and the system decides when it is written: set appendfsync everysec or always")
	case info["aof_enabled"] == "1":
		d.found(check, OK, "append-only%s", map[string]string{
			"always": ", synced on every write", "everysec": ": a crash of the machine may cost the last second",
		}[appendsync])
	case known && snapshots == "":
		d.found(check, Fix, "off: everything that was accepted is lost when Redis ends; set appendonly yes")
	case info["rdb_last_bgsave_status"] == "err":
		d.found(check, Fix, "the last snapshot failed: look into the log and the disk of Redis; set appendonly yes")
	case known:
		d.found(check, Note, "snapshots only: everything since the last one is lost when Redis crashes; set appendonly yes")
	default:
		d.found(check, Note, "not append-only, and whether there are snapshots cannot be asked: set appendonly yes")
	}
}

// redisEviction checks that Redis evicts no record.
func (d *checks) redisEviction(info map[string]string) {
	const check = "redis memory"
	used, _ := strconv.ParseFloat(info["used_memory"], 64)
	limit, _ := strconv.ParseFloat(info["maxmemory"], 64)
	switch policy := info["maxmemory_policy"]; {
	case policy == "":
		d.found(check, Note, "Redis does not say its maxmemory-policy: it must be noeviction")
	case policy != "noeviction":
		d.found(check, Fix, "maxmemory-policy is %s: an evicted record is a lost extraction; set noeviction", policy)
	case limit > 0 && used > 0.9*limit:
		d.found(check, Fix, "%.0f of %.0f MiB are used: raise maxmemory, or nothing will be accepted soon", used/(1<<20), limit/(1<<20))
	default:
		d.found(check, OK, "noeviction, %.0f MiB used", used/(1<<20))
	}
}

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
	if err == nil {
		// If the process dies here, the key expires after a minute.
		key := "extractq:{doctor}:" + store.NewID()
		err = d.rdb.Eval(ctx, `redis.call('SET', KEYS[1], '1', 'EX', 60) return redis.call('DEL', KEYS[1])`, []string{key}).Err()
	}
	switch {
	case err == nil:
		d.found(check, OK, "writes and runs scripts")
	case redis.IsPermissionError(err):
		d.found(check, Fix, "this user may not do what extractq must: %v; allow all commands on the keys extractq:* and asynq:*", err)
	case redis.IsReadOnlyError(err), redis.IsOOMError(err), redis.HasErrorPrefix(err, "MISCONF"):
		d.found(check, Fix, "Redis takes no writes: %v", err)
	default:
		d.found(check, Away, "%v", err)
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
