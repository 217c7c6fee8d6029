package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"time"
)

// bucket keeps blobs under keys of one or two parts, as ID/document. A blob that is not
// there is fs.ErrNotExist.
type bucket interface {
	// open returns a blob to read, and its size.
	open(ctx context.Context, key string) (body io.ReadCloser, size int64, err error)
	// write makes a blob of what from writes, and returns once it is durable. A reader sees
	// all of it or what was there before, which stays where from fails. Where once is set, a
	// blob that is there stays too, and write returns fs.ErrExist.
	write(ctx context.Context, key string, once bool, from func(io.Writer) error) error
	remove(ctx context.Context, key string) error
	stat(ctx context.Context, key string) (blobInfo, error)
	// list yields the blobs whose keys have this first part, or all where it is empty, in
	// the order of their keys' first parts.
	list(ctx context.Context, folder string) iter.Seq2[blobInfo, error]
}

// blobInfo is what a bucket knows of a blob without reading it.
type blobInfo struct {
	key string
	// modTime is by the clock that dates the blobs, which may be another machine's.
	modTime time.Time
	size    int64
}

// read reads a whole blob.
func (b *Blobs) read(ctx context.Context, key string) ([]byte, error) {
	body, _, err := b.bucket.open(ctx, key)
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(body)
	return out, errors.Join(err, body.Close())
}

// exists reports whether a blob is there.
func (b *Blobs) exists(ctx context.Context, key string) (bool, error) {
	_, err := b.bucket.stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
