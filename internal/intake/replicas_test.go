package intake

import (
	"errors"
	"testing"

	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

// A document that too few replicas know of is not accepted yet, however often it is handed in,
// and once they do it is the same extraction.
func TestAcceptedMeansReplicated(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	server := redistest.Start(t, "--port", port, "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
	blobs, err := store.OpenBlobs(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Parts{Redis: server.Client(), Blobs: blobs, WaitReplicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	id := store.NewID()
	named := func() error {
		s := submission("%PDF-1.7 named")
		s.ID = id
		_, err := c.Submit(t.Context(), s)
		return err
	}
	for range 2 {
		if e, _, err := c.SubmitOnce(t.Context(), submission("%PDF-1.7"), "", "key"); !errors.Is(err, store.ErrNotReplicated) {
			t.Errorf("without a replica = %s, %v, want %v", e.ID, err, store.ErrNotReplicated)
		}
		if err := named(); !errors.Is(err, store.ErrNotReplicated) {
			t.Errorf("under an id, without a replica = %v, want %v", err, store.ErrNotReplicated)
		}
	}
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", port).Client()
	redistest.Follows(t, replica)
	e, replayed, err := c.SubmitOnce(t.Context(), submission("%PDF-1.7"), "", "key")
	if err != nil || !replayed {
		t.Fatalf("with a replica = %s, %v, %v, want the first one", e.ID, replayed, err)
	}
	if err := named(); !errors.Is(err, store.ErrExists) {
		t.Errorf("under an id, with a replica = %v, want %v", err, store.ErrExists)
	}
	there, err := store.NewRecords(replica)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{e.ID, id} {
		if r, err := there.Get(t.Context(), "acme", id); err != nil || r.ID != id {
			t.Errorf("the replica has %q, %v", r.ID, err)
		}
	}
}
