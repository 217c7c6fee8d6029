package documents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/guard"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// Opener opens the documents of one account.
type Opener struct {
	fetcher *guard.Fetcher
	// Limit is the largest document that it opens, in bytes; 0 is no limit.
	Limit      int64
	fetchesURL bool
}

// OpenerConfig says which documents an Opener opens, and how.
type OpenerConfig struct {
	// AllowHosts are the private hosts that documents may be downloaded from.
	AllowHosts []string
	UserAgent  string
	// MaxDocument is the largest document that is accepted, in bytes; 0 is no limit.
	MaxDocument int64
	// FetchesURL reports that the vendor downloads documents at URLs itself.
	FetchesURL bool
}

// NewOpener returns an Opener.
func NewOpener(cfg OpenerConfig) (*Opener, error) {
	g, err := guard.New("fetch.allow_hosts", cfg.AllowHosts)
	if err != nil {
		return nil, errkind.New(errkind.Usage, err)
	}
	return &Opener{guard.NewFetcher(g, cfg.UserAgent), cfg.MaxDocument, cfg.FetchesURL}, nil
}

// Unreadable means that one document cannot be read.
type Unreadable struct{ Err error }

func (u Unreadable) Error() string { return u.Err.Error() }
func (u Unreadable) Unwrap() error { return u.Err }

// Document is a document that is about to be submitted. Reading it reads its bytes.
type Document struct {
	Source

	// Body is nil if the vendor downloads the document.
	Body io.ReadCloser
	// File is nil unless the document is a file on this machine.
	File File
	// Failed is the error of reading Body. It may be used once reading has ended.
	Failed error
}

// Open opens a document. Reading it ends with ctx, and Close must be called.
func (o *Opener) Open(ctx context.Context, s Source) (*Document, error) {
	d := &Document{Source: s}
	switch {
	case s.URL != "" && o.fetchesURL:
		return d, nil
	case s.URL != "":
		d.Body = &download{ctx: ctx, opener: o, url: s.URL}
		return d, nil
	}
	f, err := s.open()
	if err != nil {
		return nil, Unreadable{Advise(err)}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = errors.New("it is neither a file nor a directory")
	}
	if err == nil && info.Size() == 0 && info.Mode().IsRegular() {
		err = fmt.Errorf("%w: copy the file again, or leave it out", intake.ErrEmpty)
	}
	if err == nil && o.Limit > 0 && info.Mode().IsRegular() && info.Size() > o.Limit {
		err = fmt.Errorf("%w: %s, and api.max_document is %s", store.ErrTooLarge, render.Size(info.Size()), render.Size(o.Limit))
	}
	if err != nil {
		_ = f.Close()
		return nil, Unreadable{Advise(err)}
	}
	d.File, d.Body = f, contextFile{f, context.AfterFunc(ctx, func() { _ = f.Close() })}
	return d, nil
}

// open opens the document's file.
func (s Source) open() (File, error) {
	if s.stdin != nil {
		return s.stdin.Open()
	}
	// The file may be a FIFO by now, and opening one would block.
	return os.OpenFile(s.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// Digest is the SHA-256 of the document's bytes, or a digest of its URL if the bytes would
// have to be downloaded for it. It leaves the document at its beginning.
func (d *Document) Digest() (string, error) {
	if d.File == nil {
		return "url " + URLDigest(d.URL), nil
	}
	digest := sha256.New()
	_, err := io.Copy(digest, d.File)
	if err == nil {
		_, err = d.File.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", Unreadable{Advise(err)}
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// Key is the idempotency key of the document for a command that has one: it is the same for
// the same bytes at the same place. It is empty if the command has none.
func (d *Document) Key(command string) (string, error) {
	if command == "" {
		return "", nil
	}
	digest, err := d.Digest()
	if err != nil {
		return "", err
	}
	identity, err := d.Identity()
	if err != nil {
		return "", Unreadable{Cause(err)}
	}
	sum := sha256.Sum256([]byte(command + "\x00" + identity + "\x00" + digest))
	return hex.EncodeToString(sum[:]), nil
}

// In puts the document into a submission.
func (d *Document) In(s intake.Submission) intake.Submission {
	s.Name = d.FileName()
	if d.Body == nil {
		s.URL = d.URL
	} else {
		s.Document = d
	}
	return s
}

// Read reads the document.
func (d *Document) Read(p []byte) (int, error) {
	n, err := d.Body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		d.Failed = err
	}
	return n, err
}

// Rewind leaves the document at its beginning, whatever was read of it.
func (d *Document) Rewind() error {
	d.Failed = nil
	if b, ok := d.Body.(*download); ok {
		_ = b.Close() // Nothing was written.
		d.Body = &download{ctx: b.ctx, opener: b.opener, url: b.url}
	}
	if d.File == nil {
		return nil
	}
	if _, err := d.File.Seek(0, io.SeekStart); err != nil {
		return Unreadable{Advise(err)}
	}
	return nil
}

// SizeWarning is a line about a document that is larger than the vendor says it accepts;
// empty if it is not. limit is in bytes; 0 if the vendor names none.
func (d *Document) SizeWarning(vendor string, limit int64) string {
	if d.File == nil || limit <= 0 {
		return ""
	}
	info, err := d.File.Stat()
	if err != nil || info.Size() <= limit {
		return ""
	}
	return fmt.Sprintf("%s: %d MB may be too large for %s, which is said to take %d MB",
		d.Title(), info.Size()>>20, vendor, limit>>20)
}

// Close closes the document.
func (d *Document) Close() {
	if d.Body != nil {
		_ = d.Body.Close() // Nothing was written.
	}
}

// Blame returns why the document was not accepted: an error without a kind if only this
// document is affected, and one with a kind if all documents are.
func (d *Document) Blame(err error) error {
	switch {
	case errors.Is(err, intake.ErrURLRefused):
		return RefusedURL(render.OneLine(err))
	case errors.Is(err, intake.ErrOtherProvider):
		return errkind.New(errkind.Usage, err)
	case errors.Is(err, extraction.ErrInvalid), errors.Is(err, store.ErrTooLarge):
		return err
	case d.Failed != nil:
		return Unreadable{Advise(d.Failed)}
	case errors.Is(err, store.ErrTaken):
		return Unreadable{errors.New("it changed while it was handed in: submit it again")}
	}
	return errkind.MarkUnavailable(err)
}

// RefusedURL returns the error about the URL that the detail names: the callback's or the
// document's.
func RefusedURL(detail string) error {
	if why, ok := strings.CutPrefix(detail, "callback_url: "); ok {
		return errkind.Usagef("--callback-url: %s", why)
	}
	return Unreadable{errors.New(strings.TrimPrefix(detail, "document_url: "))}
}

// CodeOf is the error code of a document that could not be submitted.
func CodeOf(err error) extraction.Code {
	switch {
	case errors.Is(err, store.ErrTooLarge), errors.Is(err, guard.ErrTooLarge):
		return extraction.CodeDocumentTooLarge
	case errors.Is(err, extraction.ErrInvalid):
		return extraction.CodeUnsupportedDocument
	}
	return extraction.CodeDocumentUnavailable
}

// contextFile is a file that is closed when its context ends.
type contextFile struct {
	File

	stop func() bool
}

func (s contextFile) Close() error {
	if s.stop() {
		return s.File.Close()
	}
	return nil // The context has closed it.
}

// download is a document at a URL. The first Read starts the request.
type download struct {
	ctx    context.Context // A reader's methods take none.
	opener *Opener
	url    string

	pipe   *io.PipeReader
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Read reads what has been received.
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
		_, err := d.opener.fetcher.Fetch(ctx, d.url, d.opener.Limit, w)
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
