package client

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Source is the document of a submission, made with File, Reader, URL or VendorID.
type Source struct {
	// open opens the document for one attempt; size is its size in bytes, -1 if unknown.
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

// File is the document in a file, opened again for each attempt. Its base name is the
// document's name unless Fields.Name is set.
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
				p.r = io.LimitReader(f, p.length) // The file may grow meanwhile.
			}
			return p, nil
		},
	}
}

// Reader is the document that r returns, from its current position to its end. If r is an
// io.Seeker, such as a *bytes.Reader, a repeated call reads it again; otherwise a call is
// repeated only until sending the document has begun. Until Submit returns, only Submit may
// use r. If ctx ends during a Read of an r that is not an io.Seeker, r is in use until that
// Read returns.
func Reader(r io.Reader, name string) Source {
	if seeker, ok := r.(io.Seeker); ok {
		start, err := seeker.Seek(0, io.SeekCurrent)
		if err == nil { // A pipe is a file too, and cannot seek.
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

// rewind seeks to start and counts the bytes that follow.
func rewind(s io.Seeker, start int64) (n int64, err error) {
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return -1, err
	}
	_, err = s.Seek(start, io.SeekStart)
	return end - start, err
}

// oneTime is a reader that cannot seek; it records whether reading has begun.
type oneTime struct {
	r     io.Reader
	begun bool
	piece []byte
}

// interruptible ends a blocked Read when its context ends: the transport waits for Read to
// return before it gives up a request.
type interruptible struct {
	ctx context.Context // The methods of a reader take no context.
	*oneTime
}

// Read reads in a goroutine of its own, which is left behind with the source if the context
// ends.
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

// URL is a document that the vendor downloads from url.
func URL(url string) Source { return Source{url: url} }

// VendorID follows an extraction that another program has submitted, by the vendor's id of
// it. Nothing is submitted, and nothing is paid.
func VendorID(id string) Source { return Source{vendorID: id} }

// Typed returns the source with a media type, such as "application/pdf". Otherwise the
// server detects it from the first bytes.
func (s Source) Typed(mediaType string) Source {
	s.mediaType = mediaType
	return s
}

// encoded reads r and returns it as base64.
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
