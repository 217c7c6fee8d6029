package store

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// memBucket is a bucket in memory.
type memBucket struct {
	mu    sync.Mutex
	blobs map[string]memBlob
}

type memBlob struct {
	body    []byte // Never changes.
	modTime time.Time
}

func (b memBlob) info(key string) BlobInfo {
	return BlobInfo{Key: key, ModTime: b.modTime, Size: int64(len(b.body))}
}

func newMemBucket() *memBucket { return &memBucket{blobs: map[string]memBlob{}} }

func (m *memBucket) get(key string) (memBlob, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[key]
	if !ok {
		return b, &fs.PathError{Op: "open", Path: key, Err: fs.ErrNotExist}
	}
	return b, nil
}

func (m *memBucket) Open(_ context.Context, key string) (io.ReadCloser, int64, error) {
	b, err := m.get(key)
	if err != nil {
		return nil, 0, err
	}
	return io.NopCloser(bytes.NewReader(b.body)), int64(len(b.body)), nil
}

func (m *memBucket) Write(_ context.Context, key string, once bool, from func(io.Writer) error) error {
	var body bytes.Buffer
	if err := from(&body); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.blobs[key]; ok && once {
		return &fs.PathError{Op: "write", Path: key, Err: fs.ErrExist}
	}
	m.blobs[key] = memBlob{body: body.Bytes(), modTime: time.Now()}
	return nil
}

func (m *memBucket) Remove(_ context.Context, key string) error {
	if _, err := m.get(key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, key)
	return nil
}

func (m *memBucket) Stat(_ context.Context, key string) (BlobInfo, error) {
	b, err := m.get(key)
	return b.info(key), err
}

func (m *memBucket) List(_ context.Context, folder string) iter.Seq2[BlobInfo, error] {
	return func(yield func(BlobInfo, error) bool) {
		m.mu.Lock()
		blobs := maps.Clone(m.blobs)
		m.mu.Unlock()
		for _, key := range slices.Sorted(maps.Keys(blobs)) {
			if folder != "" && !strings.HasPrefix(key, folder+"/") {
				continue
			}
			if !yield(blobs[key].info(key), nil) {
				return
			}
		}
	}
}

// Close does nothing: the blobs go with the process.
func (m *memBucket) Close() error { return nil }
