package worker

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/redistest"
)

func (r *rig) wantNothingStored(id string) {
	r.t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.dir, id))
	if !os.IsNotExist(err) {
		r.t.Errorf("the document store has %v of %s, %v", entries, id, err)
	}
}

// What is deleted while the vendor takes it leaves nothing in the document store, whatever
// the step that held it writes afterwards.
func TestDeletedWhileSubmitted(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	w := r.worker()
	id := r.submit("x")
	v.onSubmit = func(int, extraction.Submission) error {
		_, err := r.client.Delete(t.Context(), "acme", id)
		return err
	}
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	r.wantNothingStored(id)
}

// betweenBlobsAndRecord calls then once, after a deletion has erased the documents and
// before it erases the record.
type betweenBlobsAndRecord struct {
	folder string
	once   sync.Once
	then   func()
}

func (b *betweenBlobsAndRecord) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b *betweenBlobsAndRecord) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (b *betweenBlobsAndRecord) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if _, err := os.Stat(b.folder); os.IsNotExist(err) {
			b.once.Do(b.then)
		}
		return next(ctx, cmd)
	}
}

// A result that is fetched again while its extraction is deleted does not outlive it.
func TestDeletedWhileFetched(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := newRigOn(t, server.Client(), newVendor())
	w := r.worker()
	rec := r.succeeded(w)
	r.refetch(rec.ID)
	rdb := redis.NewClient(server.Options())
	defer func() { _ = rdb.Close() }()
	p := r.payload(rec.ID)
	rdb.AddHook(&betweenBlobsAndRecord{folder: filepath.Join(r.dir, rec.ID), then: func() {
		if _, err := w.poll(context.Background(), p); err != nil {
			t.Error(err)
		}
	}})
	client, err := intake.New(intake.Parts{Redis: rdb, Blobs: r.blobs, Kept: r.cfg.kept()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Delete(t.Context(), "acme", rec.ID); err != nil {
		t.Fatal(err)
	}
	r.wantNothingStored(rec.ID)
}
