package cloud

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"

	"gocloud.dev/blob"
)

const (
	// whole is up to what size a blob is kept in memory and written by one request.
	whole = 256 << 10
	// part is the size of the requests that a larger one is written by, one after the other:
	// the least that S3 takes.
	part = 5 << 20
)

// Write collects what from writes while it is small, and streams it from then on. Nothing
// becomes visible before from has ended well.
func (b bucket) Write(ctx context.Context, key string, once bool, from func(io.Writer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &writer{ctx: ctx, bucket: b.b, key: key, options: blob.WriterOptions{
		IfNotExist: once, BufferSize: part, MaxConcurrency: 1,
	}}
	if err := from(w); err != nil {
		if w.stream != nil {
			cancel() // Before Close, which would make a blob of what there is.
			_ = w.stream.Close()
		}
		return known(key, err)
	}
	err := known(key, w.close())
	if err == nil || !once || errors.Is(err, fs.ErrExist) || ctx.Err() != nil {
		return err
	}
	// A store may refuse all but one of those that write at once without saying which is
	// first, or close the connection before it has read what it refuses. The blob that is
	// there is first, and may be this one: each caller reads it.
	if _, statErr := b.Stat(ctx, key); statErr == nil {
		return errors.Join(&fs.PathError{Op: "write", Path: key, Err: fs.ErrExist}, err)
	}
	return err
}

// writer is a blob while it is written.
type writer struct {
	ctx     context.Context //nolint:containedctx // A writer has no other way to it.
	bucket  *blob.Bucket
	key     string
	options blob.WriterOptions
	head    bytes.Buffer
	stream  *blob.Writer // nil while all is in head.
}

func (w *writer) Write(p []byte) (int, error) {
	if w.stream == nil && w.head.Len()+len(p) <= whole {
		return w.head.Write(p)
	}
	if w.stream == nil {
		w.options.ContentType = w.contentType(p)
		var err error
		if w.stream, err = w.bucket.NewWriter(w.ctx, w.key, &w.options); err != nil {
			return 0, err
		}
		if _, err := w.stream.Write(w.head.Bytes()); err != nil {
			return 0, err
		}
		w.head = bytes.Buffer{}
	}
	return w.stream.Write(p)
}

// contentType is that of a blob whose beginning is in head, or else in p: JSON for all but
// documents, which are known by their bytes.
func (w *writer) contentType(p []byte) string {
	if path.Base(w.key) != "document" {
		return "application/json"
	}
	if w.head.Len() > 0 {
		p = w.head.Bytes()
	}
	return http.DetectContentType(p)
}

// close makes the blob.
func (w *writer) close() error {
	if w.stream != nil {
		return w.stream.Close()
	}
	w.options.ContentType = w.contentType(nil)
	return w.bucket.Upload(w.ctx, w.key, bytes.NewReader(w.head.Bytes()), &w.options)
}
