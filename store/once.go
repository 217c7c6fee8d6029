package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gocloud.dev/gcerrors"

	"github.com/extractq/extractq/internal/crash"
)

// ErrTaken is returned for a document whose id has another document already.
var ErrTaken = errors.New("another document was handed in under this id")

// PutDocumentOnce is PutDocument for an id that another process may be using too: a
// document that is there stays, and is ErrTaken unless it has the same bytes.
func (b *Blobs) PutDocumentOnce(ctx context.Context, id string, r io.Reader, limit int64) (Stored, error) {
	m := &meter{hash: sha256.New(), limit: limit}
	body := io.TeeReader(r, m)
	created, err := b.create(ctx, documentKey(id), body)
	if err == nil && !created {
		_, err = io.Copy(io.Discard, body) // What the store did not want to read.
	}
	if err != nil {
		b.removeFolder(id)
		return Stored{}, fmt.Errorf("store document: %w", err)
	}
	mine := m.stored()
	if created {
		return mine, nil
	}
	first, err := b.OpenDocument(ctx, id)
	if err != nil {
		return Stored{}, err
	}
	defer func() { _ = first.Close() }()
	there, err := Digest(io.Discard, first, 0)
	if err == nil && there.SHA256 != mine.SHA256 {
		err = ErrTaken
	}
	return mine, err
}

// create streams r into a blob that is not there yet. The bucket's own way to do that in
// a directory looks first and renames then, between which another process may do the
// same: a link is made once.
func (b *Blobs) create(ctx context.Context, key string, r io.Reader) (created bool, err error) {
	if b.dir == "" {
		err = b.write(ctx, key, r, true)
		if gcerrors.Code(err) == gcerrors.FailedPrecondition {
			return false, nil
		}
		return err == nil, err
	}
	draft := key + "." + NewToken()
	defer func() { _ = b.remove(context.WithoutCancel(ctx), draft) }()
	if err := b.write(ctx, draft, r, false); err != nil {
		return false, err
	}
	path := func(key string) string { return filepath.Join(b.dir, filepath.FromSlash(key)) }
	crash.Before("blob link")
	defer crash.After("blob link")
	switch err := os.Link(path(draft), path(key)); {
	case errors.Is(err, os.ErrExist):
		return false, nil
	case err != nil: // A file system without links.
		if has, err := b.bucket.Exists(ctx, key); err != nil || has {
			return false, err
		}
		if err := os.Rename(path(draft), path(key)); err != nil {
			return false, err
		}
	}
	return true, b.sync(key)
}
