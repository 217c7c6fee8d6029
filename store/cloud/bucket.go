package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/extractq/extractq/store"
)

// bucket is an object store's.
type bucket struct{ b *blob.Bucket }

// Open streams a blob.
func (b bucket) Open(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	r, err := b.b.NewReader(ctx, key, nil)
	if err != nil {
		return nil, 0, known(key, err)
	}
	return r, r.Size(), nil
}

// Remove looks first: an object store is content with what is not there.
func (b bucket) Remove(ctx context.Context, key string) error {
	return known(key, b.b.Delete(ctx, key))
}

// Stat asks for what is known of a blob.
func (b bucket) Stat(ctx context.Context, key string) (store.BlobInfo, error) {
	a, err := b.b.Attributes(ctx, key)
	if err != nil {
		return store.BlobInfo{}, known(key, err)
	}
	return info(key, a.ModTime, a.Size), nil
}

// info has the time in whole seconds, the only ones that every call of every store gives.
func info(key string, at time.Time, size int64) store.BlobInfo {
	return store.BlobInfo{Key: key, ModTime: at.UTC().Truncate(time.Second), Size: size}
}

// List asks for one page after the other.
func (b bucket) List(ctx context.Context, folder string) iter.Seq2[store.BlobInfo, error] {
	o := &blob.ListOptions{}
	if folder != "" {
		o.Prefix = folder + "/"
	}
	return func(yield func(store.BlobInfo, error) bool) {
		for all := b.b.List(o); ; {
			next, err := all.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(store.BlobInfo{}, known(folder, err))
				return
			}
			if !yield(info(next.Key, next.ModTime, next.Size), nil) {
				return
			}
		}
	}
}

// Close releases the client.
func (b bucket) Close() error { return b.b.Close() }

// known maps an error to what a store.Bucket answers.
func known(key string, err error) error {
	code := gcerrors.Code(err)
	if code == gcerrors.NotFound {
		return fmt.Errorf("%w: %w", &fs.PathError{Op: "open", Path: key, Err: fs.ErrNotExist}, err)
	}
	if code == gcerrors.FailedPrecondition || code == gcerrors.AlreadyExists {
		return fmt.Errorf("%w: %w", &fs.PathError{Op: "write", Path: key, Err: fs.ErrExist}, err)
	}
	return err
}
