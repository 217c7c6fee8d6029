package store

import (
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
)

// A record counts as replicated once a replica has it, also where it was written before the
// replica came, over another connection.
func TestReplicated(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	master := redistest.Start(t, "--port", port, "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
	s, err := NewRecords(master.Client())
	if err != nil {
		t.Fatal(err)
	}
	in := Input{ID: NewID(), Account: "acme"}
	if _, err := s.Create(t.Context(), in, Creation{Token: NewToken()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Replicated(t.Context(), "acme", in.ID, 0); err != nil {
		t.Errorf("with none asked for: %v", err)
	}
	if err := s.Replicated(t.Context(), "acme", in.ID, 1); !errors.Is(err, ErrNotReplicated) {
		t.Errorf("without a replica: %v, want %v", err, ErrNotReplicated)
	}
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", port).Client()
	redistest.Follows(t, replica)
	if err := s.Replicated(t.Context(), "acme", in.ID, 1); err != nil {
		t.Fatal(err)
	}
	if n, err := replica.Exists(t.Context(), accountKeys("acme").record(in.ID)).Result(); n != 1 || err != nil {
		t.Errorf("the replica has %d records, %v", n, err)
	}
	if err := s.Replicated(t.Context(), "acme", in.ID, 2); !errors.Is(err, ErrNotReplicated) {
		t.Errorf("one of two: %v, want %v", err, ErrNotReplicated)
	}
	if err := s.Replicated(t.Context(), "acme", NewID(), 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("no record: %v, want %v", err, ErrNotFound)
	}
}

// In a Cluster the server that has the record is asked.
func TestReplicatedInACluster(t *testing.T) {
	t.Parallel()
	_, ports := redistest.StartCluster(t, 3, func(port string) []string { return []string{"--port", port, "--bind", "127.0.0.1"} })
	for _, port := range ports { // Each alone has no key of some accounts.
		rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:" + port}, DisableIdentity: true})
		t.Cleanup(func() { _ = rdb.Close() })
		s, err := NewRecords(rdb)
		if err != nil {
			t.Fatal(err)
		}
		for _, account := range []string{"a", "b", "c", "d"} {
			in := Input{ID: NewID(), Account: account}
			if _, err := s.Create(t.Context(), in, Creation{Token: NewToken()}); err != nil {
				t.Fatal(err)
			}
			if there, n, err := s.waitFor(t.Context(), []string{accountKeys(account).record(in.ID), accountKeys(account).replicated()}, 0); !there || n != 0 || err != nil {
				t.Errorf("%s: %v, %d replicas, %v", account, there, n, err)
			}
		}
	}
}
