package tasks_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/internal/s3test"
	"github.com/extractq/extractq/store"
	_ "github.com/extractq/extractq/store/cloud"
	"github.com/extractq/extractq/tasks"
)

// A service hands documents into the workers' object store, and into no other.
func TestOpenObjectStore(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	cfg := tasks.Config{Redis: "unix://" + rdb.Options().Addr, Data: s3test.Start(t)}
	blobs, err := store.OpenBlobs(t.Context(), cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	records, err := store.NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Pair(t.Context(), records, blobs, store.Terms{}); err != nil {
		t.Fatal(err)
	}
	if err := records.Register(t.Context(), "acme", store.Registration{Provider: "sensible"}); err != nil {
		t.Fatal(err)
	}
	client, err := tasks.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	e, err := client.Submit(t.Context(), tasks.Submission{Account: "acme", Type: "t", Name: "a.pdf", Document: strings.NewReader("%PDF-1.7 x")})
	if err != nil {
		t.Fatal(err)
	}
	if has, err := blobs.HasDocument(t.Context(), e.ID); err != nil || !has {
		t.Errorf("the workers' store has the document: %v, %v", has, err)
	}
	cfg.Data = strings.Replace(cfg.Data, "prefix=", "prefix=x", 1)
	if _, err := tasks.Open(t.Context(), cfg); !errors.Is(err, tasks.ErrOtherStore) {
		t.Errorf("Open of another folder = %v, want %v", err, tasks.ErrOtherStore)
	}
}
