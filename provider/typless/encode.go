package typless

import (
	"encoding/base64"
	"encoding/json"
	"io"

	"github.com/extractq/extractq/provider/internal/vendorhttp"
)

// closing ends the JSON string that holds the document, and the object.
const closing = `"}`

// envelope is the JSON of a submission up to the first character of the document, which is
// the last member so that it can be streamed.
func envelope(sub submission) (string, error) {
	b, err := json.Marshal(sub)
	if err != nil {
		return "", err
	}
	return string(b[:len(b)-1]) + `,"file":"`, nil
}

// encodedLength is the length of the whole request body.
func encodedLength(open string, n int64) int64 {
	// base64.EncodedLen takes an int, which has 32 bits on some machines.
	return int64(len(open)) + (n+2)/3*4 + int64(len(closing))
}

// chunk is how many bytes of a document are encoded at a time: a multiple of 3, so that
// only the end is padded. With the transport's buffers that makes about 64 KiB per
// submission. It is allocated for each: a pooled buffer might still be read by a transport
// that has given up its request.
const chunk = 12 << 10

// encode returns the request body: the opening, the n bytes of doc in base64, and the
// closing.
func encode(open string, doc io.ReadCloser, n int64) io.ReadCloser {
	return &encoder{doc: vendorhttp.Exact(doc, n), rest: []byte(open)}
}

type encoder struct {
	doc  io.ReadCloser
	raw  []byte
	text []byte
	rest []byte // encoded and not yet read
	done bool   // the closing is in rest
}

// Read implements io.Reader.
func (e *encoder) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(e.rest) == 0 {
		if e.done {
			return 0, io.EOF
		}
		if err := e.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// next encodes a chunk.
func (e *encoder) next() error {
	if e.raw == nil {
		e.raw = make([]byte, chunk)
		e.text = make([]byte, 0, base64.StdEncoding.EncodedLen(chunk)+len(closing))
	}
	n := 0
	for n < len(e.raw) && !e.done {
		m, err := e.doc.Read(e.raw[n:])
		n += m
		switch {
		case err == io.EOF:
			e.done = true
		case err != nil:
			return err
		}
	}
	e.text = base64.StdEncoding.AppendEncode(e.text[:0], e.raw[:n])
	if e.done {
		e.text = append(e.text, closing...)
	}
	e.rest = e.text
	return nil
}

// Close implements io.Closer.
func (e *encoder) Close() error { return e.doc.Close() }
