package worker

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

// Redis becomes a replica without a master for a while, behind a proxy with words of its
// own: it refuses writes, then everything. That is waited for. Nothing counts as gone, and
// nothing is submitted twice.
func TestRedisBecomesReplica(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	relay := redistest.NewRelay(t, server)
	relay.Rewrite("-READONLY ", "-ERR READONLY ")
	client, err := address.NewClient(address.Server{URL: relay.URL}, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	rdb, direct := client.(*redis.Client), server.Client()
	v := newVendor()
	var finished atomic.Bool
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		if finished.Load() {
			return done(), nil
		}
		return pending(), nil
	}
	r := newRigOn(t, rdb, v)
	r.paired()
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = r.submit(fmt.Sprint(i))
	}
	r.startThrough()
	r.await("some to be at the vendor", func() bool { return v.calls() >= 3 })
	redisDo := func(args ...any) {
		t.Helper()
		if err := direct.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	redisDo("REPLICAOF", "127.0.0.1", "1")
	if err := store.CheckPair(t.Context(), r.records, r.blobs); err != nil {
		t.Errorf("a replica can be read: %v", err)
	}
	redisDo("CONFIG", "SET", "replica-serve-stale-data", "no")
	for what, err := range map[string]error{
		"CheckPair": store.CheckPair(t.Context(), r.records, r.blobs),
		"Get":       func() error { _, err := r.records.Get(t.Context(), "acme", ids[0]); return err }(),
		"GetAll":    func() error { _, err := r.records.GetAll(t.Context(), []string{"acme"}, ids...); return err }(),
		"Identity":  func() error { _, err := r.records.Identity(t.Context()); return err }(),
		"Erased":    func() error { _, err := r.records.Erased(t.Context(), "acme", ids[0]); return err }(),
	} {
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrRedisLost) {
			t.Errorf("%s of a Redis that answers nothing: %v", what, err)
		}
	}
	if r.blobs.RedisLost() {
		t.Error("a Redis that answers nothing counts as lost")
	}
	finished.Store(true)
	redisDo("REPLICAOF", "NO", "ONE")
	for _, id := range ids {
		if got := r.final(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s is %s %+v", id, got.Status, got.Failure)
		}
	}
	if len(v.bodies) != len(ids) {
		t.Errorf("%d documents were paid for, want %d", len(v.bodies), len(ids))
	}
}
