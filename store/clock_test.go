package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// clockKey holds the time that the scripts of newClockedRig take for Redis's.
const clockKey = "extractq:{acme}:test-clock"

// says is a rider that returns a fixed answer.
const says = "return {ARGV[1]}"

// newClockedRig is a rig whose scripts take their time from clockKey, because the clock of
// a Redis cannot be set. Nothing else in them is changed.
func newClockedRig(t testing.TB, rdb *redis.Client) *rig {
	t.Helper()
	s, err := NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	const clock, ours = `redis.call('TIME')`, `redis.call('HMGET', '` + clockKey + `', 's', 'us')`
	for _, name := range scriptNames {
		text, err := scriptText(name, "")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, clock) {
			t.Fatalf("%s does not take its time from Redis", name)
		}
		s.scripts[name] = redis.NewScript(strings.ReplaceAll(text, clock, ours))
	}
	text, err := scriptText("begin", rideLua+says+rodeLua)
	if err != nil {
		t.Fatal(err)
	}
	s.riding.Store(riding{"begin", says}, redis.NewScript(strings.ReplaceAll(text, clock, ours)))
	// Time passes by the monotonic clock as well: it does not jump.
	s.scripts[clockName] = redis.NewScript(`local t = ` + ours + ` return {t[1] * 1000 + math.floor(t[2] / 1000), 0, 0}`)
	s.uptime = func() time.Duration {
		seconds, err := rdb.HGet(context.Background(), clockKey, "s").Int64()
		if err != nil {
			t.Error(err)
		}
		return time.Duration(seconds) * time.Second
	}
	return &rig{t: t, rdb: rdb, s: s, k: accountKeys("acme")}
}

// setClock sets the time of a clocked rig.
func (r *rig) setClock(ms int64) {
	r.t.Helper()
	if err := r.rdb.HSet(r.t.Context(), clockKey, "s", ms/1000, "us", ms%1000*1000+999).Err(); err != nil {
		r.t.Fatal(err)
	}
}
