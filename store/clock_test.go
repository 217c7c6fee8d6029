package store

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// clockKey holds the time that the scripts of newClockedRig take for Redis's.
const clockKey = "extractq:{acme}:test-clock"

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
		text, err := scriptText(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, clock) {
			t.Fatalf("%s does not take its time from Redis", name)
		}
		s.scripts[name] = redis.NewScript(strings.ReplaceAll(text, clock, ours))
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
