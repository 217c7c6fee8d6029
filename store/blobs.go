package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/transfer"
)

// Blobs are documents and results in a bucket: ID/document and ID/SEQ.
type Blobs struct {
	bucket Bucket
	// remote says that it is an object store's, which other processes see.
	remote bool
	// dir is the folder of a file bucket; empty for any other kind.
	dir string
	// held is the identity that the folder must have; nil before Pair.
	held atomic.Pointer[string]
	// pair is Redis's side of the identity as Pair saw it, and lost says that it has
	// become another since.
	pair atomic.Pointer[identity]
	lost atomic.Bool
}

// ErrTooLarge is returned by PutDocument for a document above the limit.
var ErrTooLarge = errors.New("document is too large")

// OpenBlobs opens a document store by URL: file:///path or mem://, or one of a driver. A
// file store is created with mode 0700 where it does not exist.
func OpenBlobs(ctx context.Context, rawURL string) (*Blobs, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("document store: bad URL: %w", errors.Unwrap(err))
	}
	switch u.Scheme {
	case "mem":
		return &Blobs{bucket: newMemBucket()}, nil
	case "file":
		dir := filepath.FromSlash(u.Path)
		if dir == "" || u.Host != "" {
			return nil, fmt.Errorf("document store: %q needs the form file:///absolute/path", rawURL)
		}
		b, err := openFileBucket(dir)
		if err != nil {
			return nil, fmt.Errorf("document store: %w", err)
		}
		return &Blobs{bucket: b, dir: b.dir}, nil
	}
	return openDriven(ctx, u.Scheme, rawURL)
}

// Scratch is a directory for what is about to be stored: that of a file store, empty for
// any other kind.
func (b *Blobs) Scratch() string { return b.dir }

// Close releases the store.
func (b *Blobs) Close() error { return b.bucket.Close() }

// documentPart is the last part of a document's key.
const documentPart = "document"

func documentKey(id string) string          { return id + "/" + documentPart }
func resultKey(id string, seq int64) string { return id + "/" + strconv.FormatInt(seq, 10) }

// Stored is what PutDocument learned of a document while it went by.
type Stored struct {
	Bytes  int64
	SHA256 string
	// Head is the beginning of the document, at most 1,024 bytes, for finding
	// out what it is.
	Head []byte
}

// PutDocument streams a document into the store and returns once it is durable.
// More than limit bytes are ErrTooLarge; a limit of 0 is none.
func (b *Blobs) PutDocument(ctx context.Context, id string, r io.Reader, limit int64) (Stored, error) {
	m := &meter{hash: sha256.New(), limit: limit}
	if err := b.put(ctx, documentKey(id), io.TeeReader(r, m)); err != nil {
		return Stored{}, fmt.Errorf("store document: %w", err)
	}
	return m.stored(), nil
}

// Digest is PutDocument into w, which may be io.Discard.
func Digest(w io.Writer, r io.Reader, limit int64) (Stored, error) {
	m := &meter{hash: sha256.New(), limit: limit}
	if _, err := io.Copy(w, io.TeeReader(r, m)); err != nil {
		return Stored{}, fmt.Errorf("read document: %w", err)
	}
	return m.stored(), nil
}

// OpenDocument opens a stored document.
func (b *Blobs) OpenDocument(ctx context.Context, id string) (io.ReadCloser, error) {
	r, _, err := b.bucket.Open(ctx, documentKey(id))
	if err != nil {
		return nil, fmt.Errorf("open document: %w", b.named(ctx, err))
	}
	return r, nil
}

// HasDocument reports whether a document is stored.
func (b *Blobs) HasDocument(ctx context.Context, id string) (bool, error) {
	ok, err := b.exists(ctx, documentKey(id))
	if err == nil && !ok {
		err = b.present(ctx) // In a store that is gone nothing exists.
	}
	if err != nil {
		return false, fmt.Errorf("look for document: %w", err)
	}
	return ok, nil
}

// Documents are the ids of the extractions whose documents are stored.
func (b *Blobs) Documents(ctx context.Context) ([]string, error) {
	if err := b.present(ctx); err != nil { // None is not the answer there.
		return nil, fmt.Errorf("list documents: %w", err)
	}
	var out []string
	for o, err := range b.bucket.List(ctx, "") {
		if err != nil {
			return nil, fmt.Errorf("list documents: %w", err)
		}
		if id, part, ok := extractionOf(o.Key); ok && part == documentPart {
			out = append(out, id)
		}
	}
	return out, nil
}

// CopyDocument stores one extraction's document as another's too and returns once
// it is durable. It returns ErrNotFound where there is none.
func (b *Blobs) CopyDocument(ctx context.Context, from, to string) error {
	r, err := b.OpenDocument(ctx, from)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if err := b.put(ctx, documentKey(to), r); err != nil {
		return fmt.Errorf("copy document: %w", err)
	}
	return nil
}

// DeleteDocument removes a document; one that does not exist is no error.
func (b *Blobs) DeleteDocument(ctx context.Context, id string) error {
	return b.remove(ctx, documentKey(id))
}

// Delete removes all that is stored of an extraction.
func (b *Blobs) Delete(ctx context.Context, id string) error {
	if err := b.present(ctx); err != nil { // Nothing to delete is not the answer there.
		return fmt.Errorf("list blobs: %w", err)
	}
	if err := b.deleteKey(ctx, id); err != nil {
		return err
	}
	for o, err := range b.bucket.List(ctx, id) {
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		if err := b.remove(ctx, o.Key); err != nil {
			return err
		}
	}
	b.removeFolder(id)
	return nil
}

// removeFolder removes an extraction's folder if it is empty; a filled one stays.
func (b *Blobs) removeFolder(id string) {
	if b.dir != "" {
		_ = os.Remove(filepath.Join(b.dir, id))
	}
}

func (b *Blobs) remove(ctx context.Context, key string) error {
	if _, err := b.directory(); err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	crash.Before("blob delete")
	err := b.bucket.Remove(ctx, key)
	crash.After("blob delete")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete blob: %w", err)
	}
	return nil
}

// now is the time by the clock that dates the blobs.
func (b *Blobs) now(ctx context.Context) (time.Time, error) {
	key := "clock-" + NewID()
	if err := b.put(ctx, key, strings.NewReader("x")); err != nil {
		return time.Time{}, fmt.Errorf("read the store's clock: %w", err)
	}
	written, err := b.bucket.Stat(ctx, key)
	if err = errors.Join(err, b.remove(ctx, key)); err != nil {
		return time.Time{}, fmt.Errorf("read the store's clock: %w", err)
	}
	return written.ModTime, nil
}

// put streams r into the bucket. Where that fails it leaves no empty folder, which
// no sweep would find.
func (b *Blobs) put(ctx context.Context, key string, r io.Reader) error {
	err := b.write(ctx, key, r, false)
	if id, _, ok := strings.Cut(key, "/"); ok && err != nil {
		b.removeFolder(id)
	}
	return err
}

// write streams r into the bucket.
func (b *Blobs) write(ctx context.Context, key string, r io.Reader, once bool) error {
	return b.fill(ctx, key, once, func(w io.Writer) error {
		_, err := io.Copy(w, transfer.Reader(ctx, r))
		return err
	})
}

// fill makes a blob of what from writes. Where the context ends meanwhile nothing is left
// behind.
func (b *Blobs) fill(ctx context.Context, key string, once bool, from func(io.Writer) error) error {
	before, err := b.directory()
	if err != nil {
		return err
	}
	crash.Before("blob write")
	defer crash.After("blob write")
	err = b.bucket.Write(ctx, key, once, func(w io.Writer) error {
		if err := from(w); err != nil {
			return err
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return b.still(before) // A record is about to name what was written.
}

// named maps the bucket's not-found to ours. In a store that is gone nothing is found,
// and that says nothing.
func (b *Blobs) named(ctx context.Context, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if gone := b.present(ctx); gone != nil {
			return gone
		}
		return ErrNotFound
	}
	return err
}

// meter counts, digests and limits what goes by.
type meter struct {
	hash  hash.Hash
	n     int64
	limit int64
	head  []byte
}

func (m *meter) stored() Stored {
	return Stored{Bytes: m.n, SHA256: hex.EncodeToString(m.hash.Sum(nil)), Head: m.head}
}

func (m *meter) Write(p []byte) (int, error) {
	if m.limit > 0 && m.n+int64(len(p)) > m.limit {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, m.limit)
	}
	if room := 1024 - len(m.head); room > 0 {
		m.head = append(m.head, p[:min(room, len(p))]...)
	}
	m.n += int64(len(p))
	return m.hash.Write(p)
}
