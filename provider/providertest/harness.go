package providertest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
)

// Harness is what the suite must know about a provider.
type Harness struct {
	// Dialect is how the provider's vendor talks.
	Dialect Dialect
	// New returns the provider, with the key, for the API at baseURL.
	New func(t *testing.T, baseURL, key string) extraction.Provider
	// Submission is a valid submission without a document. Where the provider
	// submits in one step by URL only, its URL is set.
	Submission extraction.Submission
}

// Key is the API key of the suite. It has characters that are spelled
// differently in a URL, in JSON and in HTML.
const Key = "sk_L1ve/7Qz+w&x=Y9"

// Run puts a provider through everything the worker relies on.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Harness){
		"traits":    testTraits,
		"check":     testCheck,
		"flow":      testFlow,
		"states":    testStates,
		"statuses":  testStatuses,
		"nonsense":  testNonsense,
		"plan":      testPlan,
		"retry":     testRetryAfter,
		"document":  testDocument,
		"sent":      testSent,
		"body":      testBodyErrors,
		"cancel":    testCancel,
		"redirects": testRedirects,
		"secrets":   testSecrets,
		"bounds":    testBounds,
		"together":  testTogether,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// call is one method of a provider, in a form that all share.
type call struct {
	name string
	// op is the call as the fake sees it, errorOp as the error names it.
	op      Op
	errorOp string
	// method tells a probe from the ready list, which are one call to the fake.
	do func(ctx context.Context, p extraction.Provider, f *Fake) error
	// reading reports a call that only asks.
	reading bool
	// submits reports a call whose errors say whether it may have arrived.
	submits bool
}

// calls are the methods that the provider has.
func (h Harness) calls(t *testing.T) []call {
	t.Helper()
	out := []call{
		{
			name: "submit", op: OpSubmit, errorOp: "submit", submits: true,
			do: func(ctx context.Context, p extraction.Provider, _ *Fake) error {
				_, err := p.Submit(ctx, h.oneStep(NewDocument(1000)))
				return err
			},
		},
		{
			name: "poll", op: OpPoll, errorOp: "poll", reading: true,
			do: func(ctx context.Context, p extraction.Provider, _ *Fake) error {
				_, err := p.Poll(ctx, VendorID)
				return err
			},
		},
		{
			name: "ready", op: OpReady, errorOp: "ready", reading: true,
			do: func(ctx context.Context, p extraction.Provider, _ *Fake) error {
				_, err := p.Ready(ctx, extraction.ReadyQuery{Since: time.Unix(1_700_000_000, 0), Customer: "acme"})
				return err
			},
		},
		{
			name: "probe", op: OpReady, errorOp: "probe", reading: true,
			do: func(ctx context.Context, p extraction.Provider, _ *Fake) error { return p.Probe(ctx) },
		},
	}
	if !h.uploads(t) {
		return out
	}
	return append(
		out,
		call{
			name: "open", op: OpOpen, errorOp: "submit",
			do: func(ctx context.Context, p extraction.Provider, _ *Fake) error {
				_, err := p.(extraction.Uploader).Open(ctx, h.twoSteps(NewDocument(1000)))
				return err
			},
		},
		call{
			name: "put", op: OpUpload, errorOp: "upload", submits: true,
			do: func(ctx context.Context, p extraction.Provider, f *Fake) error {
				return p.(extraction.Uploader).Put(ctx, f.upload(), h.twoSteps(NewDocument(1000)))
			},
		},
	)
}

// uploads reports whether the provider submits bytes in two steps.
func (h Harness) uploads(t *testing.T) bool {
	t.Helper()
	_, ok := h.New(t, "http://127.0.0.1:9", Key).(extraction.Uploader)
	return ok
}

// upload is an upload that was opened a moment ago.
func (f *Fake) upload() extraction.Upload {
	return extraction.Upload{
		VendorID: VendorID, URL: f.SignedURL(VendorID), ExpiresAt: time.Now().Add(15 * time.Minute),
	}
}

// start returns a fake and the provider that talks to it.
func (h Harness) start(t *testing.T) (*Fake, extraction.Provider) {
	t.Helper()
	f := NewFake(t, h.Dialect)
	return f, h.New(t, f.URL, Key)
}

// oneStep is a submission for Submit: the document's URL where the provider
// takes that, its bytes otherwise.
func (h Harness) oneStep(d *Document) extraction.Submission {
	if h.Submission.URL != "" {
		return h.Submission
	}
	return h.twoSteps(d)
}

// twoSteps is a submission of a document's bytes.
func (h Harness) twoSteps(d *Document) extraction.Submission {
	s := h.Submission
	s.URL, s.Bytes, s.Body = "", d.Size, d.Open
	return s
}

// Document is a document for a submission. Its reader may misbehave.
type Document struct {
	// Size is the size that the submission announces.
	Size int64
	// Bytes are what the reader has.
	Bytes []byte
	// Fail is what the reader ends with instead of io.EOF, nil for io.EOF.
	Fail error
	// Hold is called before every read, with the bytes read so far.
	Hold func(read int)

	opened, closed atomic.Int32
}

// NewDocument returns a document of n bytes in which no two blocks are alike.
func NewDocument(n int) *Document {
	block := make([]byte, 4099) // a prime, so that no buffer's size divides it
	x := uint32(2463534242)
	for i := range block {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		block[i] = byte(x)
	}
	b := make([]byte, 0, n+len(block))
	for i := uint32(0); len(b) < n; i++ {
		binary.LittleEndian.PutUint32(block, i*2654435761)
		b = append(b, block...)
	}
	return &Document{Size: int64(n), Bytes: b[:n]}
}

// Open is the Body of a submission.
func (d *Document) Open() (io.ReadCloser, error) {
	d.opened.Add(1)
	return &documentReader{d: d, r: bytes.NewReader(d.Bytes)}, nil
}

type documentReader struct {
	d    *Document
	r    *bytes.Reader
	read int
}

func (r *documentReader) Read(p []byte) (int, error) {
	if r.d.Hold != nil {
		r.d.Hold(r.read)
	}
	n, err := r.r.Read(p)
	r.read += n
	if errors.Is(err, io.EOF) && r.d.Fail != nil {
		err = r.d.Fail
	}
	return n, err
}

func (r *documentReader) Close() error {
	r.d.closed.Add(1)
	return nil
}

// asError fails the test unless err is an *extraction.Error of the call.
func asError(t *testing.T, err error, op string) *extraction.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("%s gave no error", op)
	}
	e, ok := errors.AsType[*extraction.Error](err)
	if !ok {
		t.Fatalf("%s gave a %T, want an *extraction.Error: %v", op, err, err)
	}
	if e.Op != op {
		t.Errorf("Op = %q, want %q", e.Op, op)
	}
	if e.Err == nil {
		t.Errorf("the error has no cause")
	}
	return e
}
