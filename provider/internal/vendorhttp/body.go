package vendorhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/extractq/extractq/internal/transfer"
)

// Body is a request's body that knows how much of it the transport has read. That decides
// whether a submission whose answer was lost may have arrived: a body that was not read to
// its end was not submitted.
type Body struct {
	// ContentType is sent with the body unless it is empty.
	ContentType string

	length int64
	stream io.ReadCloser // read once
	memory []byte        // read any number of times; used where stream is nil

	mu       sync.Mutex
	read     int64
	complete bool
	sealed   bool
	closed   bool
	err      error
}

// JSON returns a body that holds v.
func JSON(v any) (*Body, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return &Body{ContentType: "application/json", memory: b, length: int64(len(b))}, nil
}

// Stream returns a body of exactly length bytes, which are read once, while they are sent.
// The request closes r.
func Stream(contentType string, r io.ReadCloser, length int64) *Body {
	return &Body{ContentType: contentType, stream: r, length: length}
}

// attach gives the body and its length to the request: a signed upload URL accepts no
// chunked body.
func (b *Body) attach(req *http.Request) error {
	if b.length < 0 {
		return fmt.Errorf("the document's size is %d", b.length)
	}
	req.ContentLength = b.length
	if b.ContentType != "" {
		req.Header.Set("Content-Type", b.ContentType)
	}
	if b.stream != nil {
		req.Body = &tracked{body: b, r: b.stream, ctx: req.Context()}
		return nil
	}
	open := func() (io.ReadCloser, error) {
		b.mu.Lock()
		b.read, b.complete, b.closed = 0, false, false
		b.mu.Unlock()
		return &tracked{body: b, r: io.NopCloser(bytes.NewReader(b.memory)), ctx: req.Context()}, nil
	}
	// The transport reopens it only if nothing of the request was written to the
	// connection: then it cannot arrive twice.
	req.GetBody = open
	req.Body, _ = open()
	return nil
}

// seal ends reading and reports whether the body was read to its end.
func (b *Body) seal() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	return b.complete
}

// failure is the error of the body's reader, nil if none.
func (b *Body) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

var errSealed = errors.New("the request is over")

// took records one read by the transport and returns what the transport shall see.
func (b *Body) took(n int, err error) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed {
		return 0, errSealed
	}
	b.read += int64(n)
	switch {
	case err == nil, err == io.EOF: //nolint:errorlint // a wrapped EOF is a failure, not the end
		b.complete = b.complete || b.read >= b.length
	case b.err == nil && !b.closed:
		b.err = err
	}
	return n, err
}

// tracked is the body as the transport sees it.
type tracked struct {
	body *Body
	r    io.ReadCloser
	ctx  context.Context //nolint:containedctx // Of the request that reads it.
	last int             // How many bytes the latest Read gave.
}

// Read implements io.Reader. Bytes that arrive after the seal are dropped: the transport
// may go on reading for a moment after a request has failed, when the verdict on the body
// has been given.
func (t *tracked) Read(p []byte) (int, error) {
	// The transport asks for more once it has written the bytes before.
	transfer.Moved(t.ctx, t.last)
	n, err := t.r.Read(p)
	t.last = n
	return t.body.took(n, err)
}

// Close implements io.Closer. A transport that gives up closes the body during a read; the
// resulting read error is not why the request failed.
func (t *tracked) Close() error {
	t.body.mu.Lock()
	t.body.closed = true
	t.body.mu.Unlock()
	return t.r.Close()
}

// discard closes a body that no request has used.
func (b *Body) discard() {
	if b.stream != nil {
		_ = b.stream.Close()
	}
}
