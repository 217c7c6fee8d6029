package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
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

// WritesOnce reports whether the store keeps a blob that is there from a second writer that
// must not replace it. Some object stores do not, although they speak S3's protocol.
func (b *Blobs) WritesOnce(ctx context.Context) (bool, error) {
	if !b.remote {
		return true, nil
	}
	key := NewID() + "/once" // Where it is left behind, it is swept as what no record names.
	first, err := b.create(ctx, key, strings.NewReader("1"))
	second := false
	if err == nil {
		second, err = b.create(ctx, key, strings.NewReader("2"))
	}
	if err = errors.Join(err, b.remove(ctx, key)); err != nil {
		return false, fmt.Errorf("try to write once: %w", err)
	}
	return first && !second, nil
}

// create streams r into a blob that is not there yet, and leaves one that is.
func (b *Blobs) create(ctx context.Context, key string, r io.Reader) (created bool, err error) {
	err = b.write(ctx, key, r, true)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}
