package client

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Source is the document of a submission: what File, Reader, URL or VendorID
// returns.
type Source struct {
	// open opens it for one attempt, and size is how large it is; -1 if unknown.
	open            func(context.Context) (part, error)
	size            func() int64
	name, mediaType string
	url, vendorID   string
}

// part is a document that is open for one attempt.
type part struct {
	r      io.Reader
	length int64 // -1 if unknown.
	close  func()
}

// File is the document in a file, which is opened for each attempt anew. Its base
// name is the document's name unless Fields.Name says otherwise.
func File(path string) Source {
	return Source{
		name: filepath.Base(path),
		size: func() int64 {
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() {
				return -1
			}
			return info.Size()
		},
		open: func(context.Context) (part, error) {
			f, err := os.Open(path)
			if err != nil {
				return part{}, err
			}
			info, err := f.Stat()
			if err == nil && info.IsDir() {
				err = &os.PathError{Op: "read", Path: path, Err: errors.New("is a directory")}
			}
			if err != nil {
				_ = f.Close() // Nothing was written.
				return part{}, err
			}
			p := part{r: f, length: -1, close: func() { _ = f.Close() }}
			if info.Mode().IsRegular() {
				p.length = info.Size()
				p.r = io.LimitReader(f, p.length) // It may grow meanwhile.
			}
			return p, nil
		},
	}
}

// Reader is the document that r gives, from where it stands to its end. One that is
// an io.Seeker, such as a *bytes.Reader, is read again where a call is repeated; for
// any other a call is repeated only until the document begins to be sent. Only
// Submit may use r until it returns; where the context ends in the middle of a Read
// of one that is not an io.Seeker, not until that Read returns.
func Reader(r io.Reader, name string) Source {
	if seeker, ok := r.(io.Seeker); ok {
		start, err := seeker.Seek(0, io.SeekCurrent)
		if err == nil { // A pipe is a file, and has no place to go back to.
			return Source{
				name: name,
				size: func() int64 { n, _ := rewind(seeker, start); return n },
				open: func(context.Context) (part, error) {
					n, err := rewind(seeker, start)
					return part{r: io.LimitReader(r, n), length: n}, err
				},
			}
		}
	}
	o := &oneTime{r: r}
	return Source{
		name: name,
		size: func() int64 { return -1 },
		open: func(ctx context.Context) (part, error) {
			if o.begun {
				return part{}, errSpent
			}
			return part{r: interruptible{ctx, o}, length: -1}, nil
		},
	}
}

// rewind goes back to start, and counts what is behind it.
func rewind(s io.Seeker, start int64) (n int64, err error) {
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return -1, err
	}
	_, err = s.Seek(start, io.SeekStart)
	return end - start, err
}

// oneTime is a reader that cannot go back, and notes whether it was begun.
type oneTime struct {
	r     io.Reader
	begun bool
	piece []byte
}

// interruptible reads until its context ends, also where nothing comes: the
// transport waits for a Read to return before it gives a request up.
type interruptible struct {
	ctx context.Context // A reader's methods take none.
	*oneTime
}

// Read reads in a goroutine of its own, which stays behind with the source where the
// context ends.
func (i interruptible) Read(p []byte) (int, error) {
	i.begun = true
	if len(i.piece) < len(p) {
		i.piece = make([]byte, len(p))
	}
	type outcome struct {
		n   int
		err error
	}
	read := make(chan outcome, 1)
	own := i.piece[:len(p)]
	go func() {
		n, err := i.r.Read(own)
		read <- outcome{n, err}
	}()
	select {
	case got := <-read:
		return copy(p, own[:got.n]), got.err
	case <-i.ctx.Done():
		return 0, context.Cause(i.ctx)
	}
}

// URL is a document that is fetched from there, by the vendor.
func URL(url string) Source { return Source{url: url} }

// VendorID is no document: the submission follows what something else has
// submitted under this id of the vendor's. Nothing is submitted, and nothing paid.
func VendorID(id string) Source { return Source{vendorID: id} }

// Typed is the source with a media type, "application/pdf" for one. Without it, the
// server finds it out from the document's first bytes.
func (s Source) Typed(mediaType string) Source {
	s.mediaType = mediaType
	return s
}

// encoded is a reader of what r gives as base64.
type encoded struct {
	r     io.Reader
	raw   []byte
	text  []byte
	ready []byte
	err   error
}

func newEncoded(r io.Reader) *encoded {
	const groups = 8192
	return &encoded{r: r, raw: make([]byte, 3*groups), text: make([]byte, 4*groups)}
}

func (e *encoded) Read(p []byte) (int, error) {
	for len(e.ready) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		n, err := io.ReadFull(e.r, e.raw)
		if e.err = err; errors.Is(err, io.ErrUnexpectedEOF) {
			e.err = io.EOF
		}
		base64.StdEncoding.Encode(e.text, e.raw[:n])
		e.ready = e.text[:base64.StdEncoding.EncodedLen(n)]
	}
	n := copy(p, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}
