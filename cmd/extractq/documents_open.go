package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/guard"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
)

// reader opens documents for the account they are for.
type reader struct {
	wanted

	fetcher *guard.Fetcher
	limit   int64
}

func newReader(cfg settings, want wanted) (*reader, error) {
	g, err := guard.New("fetch.allow_hosts", cfg.Fetch.AllowHosts)
	if err != nil {
		return nil, errkind.New(errkind.Usage, err)
	}
	return &reader{wanted: want, fetcher: guard.NewFetcher(g, userAgent()), limit: cfg.API.MaxDocument}, nil
}

// unreadable is trouble with one document's bytes.
type unreadable struct{ err error }

func (u unreadable) Error() string { return u.err.Error() }
func (u unreadable) Unwrap() error { return u.err }

// opened is a document that is about to be submitted.
type opened struct {
	source

	// body is nil where the vendor fetches the document.
	body io.ReadCloser
	file file
	// failed is what reading the body ended with; read it when nobody reads.
	failed error
}

// Open opens a document. Reading it ends with ctx, and Close must be called.
func (o *reader) Open(ctx context.Context, s source) (*opened, error) {
	d := &opened{source: s}
	switch {
	case s.url != "" && o.provider.Traits().FetchesURL:
		return d, nil
	case s.url != "":
		d.body = &download{ctx: ctx, reader: o, url: s.url}
		return d, nil
	}
	f, err := s.open()
	if err != nil {
		return nil, unreadable{advise(err)}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = errors.New("it is neither a file nor a directory")
	}
	if err == nil && info.Size() == 0 && info.Mode().IsRegular() {
		err = fmt.Errorf("%w: copy the file again, or leave it out", tasks.ErrEmpty)
	}
	if err == nil && o.limit > 0 && info.Mode().IsRegular() && info.Size() > o.limit {
		err = fmt.Errorf("%w: %s, and api.max_document is %s", store.ErrTooLarge, render.Size(info.Size()), render.Size(o.limit))
	}
	if err != nil {
		_ = f.Close()
		return nil, unreadable{advise(err)}
	}
	d.file, d.body = f, stoppable{f, context.AfterFunc(ctx, func() { _ = f.Close() })}
	return d, nil
}

// open opens the document's file.
func (s source) open() (file, error) {
	if s.stdin != nil {
		return s.stdin.Open()
	}
	// A FIFO, as the file may be by now, would be waited for.
	return os.OpenFile(s.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// Digest is that of the document's bytes; that of its URL where only reading all
// of it would tell. It leaves the document at its beginning.
func (d *opened) Digest() (string, error) {
	if d.file == nil {
		return "url " + urlDigest(d.url), nil
	}
	digest := sha256.New()
	_, err := io.Copy(digest, d.file)
	if err == nil {
		_, err = d.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", unreadable{advise(err)}
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// Key is the idempotency key of the document where its command has one: of the same bytes
// at the same place. It is empty where the command has none.
func (d *opened) Key(command string) (string, error) {
	if command == "" {
		return "", nil
	}
	digest, err := d.Digest()
	if err != nil {
		return "", err
	}
	place, err := d.place()
	if err != nil {
		return "", unreadable{cause(err)}
	}
	sum := sha256.Sum256([]byte(command + "\x00" + place + "\x00" + digest))
	return hex.EncodeToString(sum[:]), nil
}

// In puts the document into a submission.
func (d *opened) In(s tasks.Submission) tasks.Submission {
	s.Name = d.fileName()
	if d.body == nil {
		s.URL = d.url
	} else {
		s.Document = d
	}
	return s
}

// Read reads the document.
func (d *opened) Read(p []byte) (int, error) {
	n, err := d.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		d.failed = err
	}
	return n, err
}

// Rewind leaves the document at its beginning, whatever was read of it.
func (d *opened) Rewind() error {
	d.failed = nil
	if b, ok := d.body.(*download); ok {
		_ = b.Close() // Nothing was written.
		d.body = &download{ctx: b.ctx, reader: b.reader, url: b.url}
	}
	if d.file == nil {
		return nil
	}
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return unreadable{advise(err)}
	}
	return nil
}

// Close lets the document go.
func (d *opened) Close() {
	if d.body != nil {
		_ = d.body.Close() // Nothing was written.
	}
}

// Blame tells whose trouble it is that the document was not accepted: its own,
// or that of a service that all documents need.
func (d *opened) Blame(err error) error {
	switch {
	case errors.Is(err, tasks.ErrURLRefused):
		return refusedURL(render.OneLine(err))
	case errors.Is(err, tasks.ErrOtherProvider):
		return errkind.New(errkind.Usage, err)
	case errors.Is(err, extraction.ErrInvalid), errors.Is(err, store.ErrTooLarge):
		return err
	case d.failed != nil:
		return unreadable{advise(d.failed)}
	case errors.Is(err, store.ErrTaken):
		return unreadable{errors.New("it changed while it was handed in: submit it again")}
	}
	return errkind.MarkUnavailable(err)
}

// documentCode is the code of a document that could not be submitted.
func documentCode(err error) extraction.Code {
	switch {
	case errors.Is(err, store.ErrTooLarge), errors.Is(err, guard.ErrTooLarge):
		return extraction.CodeDocumentTooLarge
	case errors.Is(err, extraction.ErrInvalid):
		return extraction.CodeUnsupportedDocument
	}
	return extraction.CodeDocumentUnavailable
}

// stoppable is a file that is closed when its context ends.
type stoppable struct {
	file

	stop func() bool
}

func (s stoppable) Close() error {
	if s.stop() {
		return s.file.Close()
	}
	return nil // The context has closed it.
}

// download is a document at a URL. It is asked for when it is first read.
type download struct {
	ctx    context.Context // A reader's methods take none.
	reader *reader
	url    string

	pipe   *io.PipeReader
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Read reads what has arrived.
func (d *download) Read(p []byte) (int, error) {
	if d.pipe == nil {
		d.begin()
	}
	return d.pipe.Read(p)
}

func (d *download) begin() {
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(d.ctx)
	d.pipe, d.cancel = r, cancel
	d.done.Go(func() {
		_, err := d.reader.fetcher.Fetch(ctx, d.url, d.reader.limit, w)
		_ = w.CloseWithError(err) // It returns nil always; without an error the reader gets EOF.
	})
}

// Close ends the download.
func (d *download) Close() error {
	if d.pipe == nil {
		return nil
	}
	d.cancel()
	err := d.pipe.Close()
	d.done.Wait()
	return err
}
