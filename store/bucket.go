package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"sync"
	"time"
)

// Bucket keeps blobs under keys of one or two parts, as ID/document. A blob that is not
// there is fs.ErrNotExist. Each kind of document store has one.
type Bucket interface {
	// Open returns a blob to read, and its size.
	Open(ctx context.Context, key string) (body io.ReadCloser, size int64, err error)
	// Write makes a blob of what from writes, and returns once it is durable. A reader sees
	// all of it or what was there before, which stays where from fails. Where once is set, a
	// blob that is there stays too, and Write returns fs.ErrExist.
	Write(ctx context.Context, key string, once bool, from func(io.Writer) error) error
	Remove(ctx context.Context, key string) error
	Stat(ctx context.Context, key string) (BlobInfo, error)
	// List yields the blobs whose keys have this first part, or all where it is empty, in
	// the order of their keys' first parts.
	List(ctx context.Context, folder string) iter.Seq2[BlobInfo, error]
	Close() error
}

// BlobInfo is what a bucket knows of a blob without reading it.
type BlobInfo struct {
	Key string
	// ModTime is by the clock that dates the blobs, which may be another machine's.
	ModTime time.Time
	Size    int64
}

// ErrURL is returned for the URL of a document store that cannot be opened, whatever answers.
var ErrURL = errors.New("its URL cannot be used")

// drivers are what Drive added, by scheme.
var drivers sync.Map

// Drive lets OpenBlobs open the URLs of a scheme. A package of drivers calls it when it is
// imported, as store/cloud does.
func Drive(scheme string, open func(ctx context.Context, rawURL string) (Bucket, error)) {
	drivers.Store(scheme, open)
}

// openDriven opens a document store of a kind that is not ours.
func openDriven(ctx context.Context, scheme, rawURL string) (*Blobs, error) {
	open, ok := drivers.Load(scheme)
	if !ok {
		return nil, fmt.Errorf("document store: %w: there is no driver for %q in this program: it imports github.com/extractq/extractq/store/cloud for s3, gs and azblob",
			ErrURL, scheme)
	}
	b, err := open.(func(context.Context, string) (Bucket, error))(ctx, rawURL)
	if err != nil {
		return nil, fmt.Errorf("document store: %w: %w", ErrURL, err)
	}
	return &Blobs{bucket: b, remote: true}, nil
}

// read reads a whole blob.
func (b *Blobs) read(ctx context.Context, key string) ([]byte, error) {
	body, _, err := b.bucket.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(body)
	return out, errors.Join(err, body.Close())
}

// exists reports whether a blob is there.
func (b *Blobs) exists(ctx context.Context, key string) (bool, error) {
	_, err := b.bucket.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
