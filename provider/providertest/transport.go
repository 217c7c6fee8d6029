package providertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
)

// sends are the calls that carry a document's bytes.
func (h Harness) sends(t *testing.T) map[Op]func(context.Context, extraction.Provider, *Fake, *Document) error {
	t.Helper()
	if h.uploads(t) {
		return map[Op]func(context.Context, extraction.Provider, *Fake, *Document) error{
			OpUpload: func(ctx context.Context, p extraction.Provider, f *Fake, d *Document) error {
				return p.(extraction.Uploader).Put(ctx, f.upload(), h.twoSteps(d))
			},
		}
	}
	return map[Op]func(context.Context, extraction.Provider, *Fake, *Document) error{
		OpSubmit: func(ctx context.Context, p extraction.Provider, _ *Fake, d *Document) error {
			_, err := p.Submit(ctx, h.twoSteps(d))
			return err
		},
	}
}

// opErr is the error's Op of a call that carries a document.
func opErr(op Op) string { return string(op) }

// testDocument looks at what arrives: the same bytes, with their length.
func testDocument(t *testing.T, h Harness) {
	for op, send := range h.sends(t) {
		f, p := h.start(t)
		for i, size := range []int{1, 2, 3, 4, 4095, 12287, 12288, 12289, 300_000, 1_500_001} {
			doc := NewDocument(size)
			if err := send(t.Context(), p, f, doc); err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			got := f.Requests(op)[i]
			if got.Chunked || !got.Complete {
				t.Errorf("%d bytes: chunked %t, complete %t", size, got.Chunked, got.Complete)
			}
			bytes, err := h.Dialect.Document(got.Body)
			if err != nil || sha256.Sum256(bytes) != sha256.Sum256(doc.Bytes) {
				t.Errorf("%d bytes: another document of %d bytes arrived (%v)", size, len(bytes), err)
			}
			if n := doc.opened.Load(); n != 1 {
				t.Errorf("%d bytes: the document was opened %d times", size, n)
			}
			wait(t, "the document to be closed", func() bool { return doc.closed.Load() > 0 })
		}
	}
}

// testSent breaks connections at each point of a submission: only one that was
// read to its end may have arrived.
func testSent(t *testing.T, h Harness) {
	for _, c := range h.calls(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			f.On(c.op, DropAfter())
			e := asError(t, c.do(t.Context(), p, f), c.errorOp)
			if e.Kind != extraction.KindTransient || e.Sent != c.submits || e.Status != 0 {
				t.Errorf("after a drop: %s, sent %t, status %d; want transient, sent %t", e.Kind, e.Sent, e.Status, c.submits)
			}
		})
	}
	for op, send := range h.sends(t) {
		t.Run(string(op)+" dropped before it was read", func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			f.On(op, DropBefore())
			// The second half is held back until the connection is gone, so that
			// no buffer on the way can swallow the whole.
			doc, gone := NewDocument(8<<20), false
			doc.Hold = func(read int) {
				if read > 1<<20 && !gone {
					gone = true
					<-f.Arrived()
				}
			}
			e := asError(t, send(t.Context(), p, f, doc), opErr(op))
			if e.Kind != extraction.KindTransient || e.Sent {
				t.Errorf("%s, sent %t; want transient and not sent", e.Kind, e.Sent)
			}
		})
	}
	for op, send := range h.sends(t) {
		t.Run(string(op)+" refused before it was read", func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			f.On(op, Do(func(x *Exchange) { x.Reply(Reply{Status: 401, Body: "Unauthorized"}) }))
			e := asError(t, send(t.Context(), p, f, NewDocument(16<<20)), opErr(op))
			kind := extraction.KindUnauthorized
			if op == OpUpload {
				kind = extraction.KindUploadGone
			}
			if e.Kind != kind || e.Sent {
				t.Errorf("%v, sent %t; want %s and not sent", e, e.Sent, kind)
			}
		})
	}
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		f := NewFake(t, h.Dialect)
		p := h.New(t, "http://127.0.0.1:1", Key)
		for _, c := range h.calls(t) {
			if c.op == OpUpload {
				continue
			}
			e := asError(t, c.do(t.Context(), p, f), c.errorOp)
			if e.Kind != extraction.KindTransient || e.Sent {
				t.Errorf("%s: %s, sent %t; want transient and not sent", c.name, e.Kind, e.Sent)
			}
		}
	})
}

// testBodyErrors gives documents whose reader fails, as that of a lapsed lease
// does, or whose size is not the announced one. Nothing was submitted then.
func testBodyErrors(t *testing.T, h Harness) {
	lapsed := errors.New("the lease has lapsed")
	for op, send := range h.sends(t) {
		for name, tt := range map[string]struct {
			doc   func() *Document
			cause error
		}{
			"at once":    {func() *Document { return &Document{Size: 1000, Fail: lapsed} }, lapsed},
			"in the mid": {func() *Document { d := NewDocument(200_000); d.Size, d.Fail = 400_000, lapsed; return d }, lapsed},
			"at the end": {func() *Document { d := NewDocument(200_000); d.Fail = lapsed; return d }, lapsed},
			"too short":  {func() *Document { d := NewDocument(1000); d.Size = 1001; return d }, nil},
			"too long":   {func() *Document { d := NewDocument(1001); d.Size = 1000; return d }, nil},
			"empty":      {func() *Document { return &Document{Size: 10} }, nil},
			"no size":    {func() *Document { return &Document{Size: -1} }, nil},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f, p := h.start(t)
				doc := tt.doc()
				err := send(t.Context(), p, f, doc)
				e := asError(t, err, opErr(op))
				if e.Kind != extraction.KindTransient || e.Sent {
					t.Errorf("%v, sent %t; want transient and not sent", err, e.Sent)
				}
				if tt.cause != nil && !errors.Is(err, tt.cause) {
					t.Errorf("%v does not wrap the reader's error", err)
				}
				for _, r := range f.Requests(op) {
					if r.Complete {
						t.Errorf("a request arrived complete, with %d bytes", r.Size)
					}
				}
				wait(t, "the document to be closed", func() bool { return doc.closed.Load() > 0 })
			})
		}
		t.Run("cannot be opened", func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			var err error
			s := h.twoSteps(NewDocument(10))
			s.Body = nil
			if up, ok := p.(extraction.Uploader); ok {
				err = up.Put(t.Context(), f.upload(), s)
			} else {
				_, err = p.Submit(t.Context(), s)
			}
			if e := asError(t, err, opErr(op)); e.Sent {
				t.Errorf("a submission without a body counts as sent")
			}
		})
	}
}

// testCancel ends the context in the middle of every call.
func testCancel(t *testing.T, h Harness) {
	for _, c := range h.calls(t) {
		for name, step := range map[string]Step{"before the answer": Slow(), "within the answer": SlowBody()} {
			if c.op == OpUpload && name != "before the answer" {
				continue
			}
			t.Run(c.name+" "+name, func(t *testing.T) {
				t.Parallel()
				f, p := h.start(t)
				f.On(c.op, step)
				because := errors.New("the lease was taken over")
				ctx, cancel := context.WithCancelCause(t.Context())
				go func() {
					<-f.Arrived()
					for len(f.Requests(c.op)) == 0 && ctx.Err() == nil {
						tick(ctx)
					}
					cancel(because)
				}()
				err := c.do(ctx, p, f)
				e := asError(t, err, c.errorOp)
				if e.Kind != extraction.KindTransient || e.Sent != c.submits {
					t.Errorf("%v, sent %t; want transient, sent %t", err, e.Sent, c.submits)
				}
				if !errors.Is(err, context.Canceled) || !errors.Is(err, because) {
					t.Errorf("%v does not wrap the cancellation and its cause", err)
				}
			})
		}
		t.Run(c.name+" timeout", func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			f.On(c.op, Slow())
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err := c.do(ctx, p, f)
			if e := asError(t, err, c.errorOp); e.Kind != extraction.KindTransient || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want transient and the deadline", err)
			}
		})
	}
}

// testRedirects sends calls elsewhere. Submissions stay; an upload follows where the
// redirect keeps its body; what follows leaves the key behind.
func testRedirects(t *testing.T, h Harness) {
	for _, c := range h.calls(t) {
		for _, code := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprint(c.name, " ", code), func(t *testing.T) {
				t.Parallel()
				f, p := h.start(t)
				other := NewFake(t, h.Dialect)
				f.On(c.op, Redirect(code, other.StoreURL+"/elsewhere"))
				good := h.Dialect.Ready()
				if c.op == OpPoll {
					good = h.Dialect.Done(VendorID)
				}
				other.On(OpUpload, Answer(good))
				err := c.do(t.Context(), p, f)
				seen := other.Requests(OpUpload)
				if !c.reading && (c.op != OpUpload || code < 307) {
					if e := asError(t, err, c.errorOp); e.Kind != extraction.KindTransient || len(seen) != 0 {
						t.Errorf("%v, and %d requests followed; want transient and none", err, len(seen))
					}
					return
				}
				if err != nil || len(seen) != 1 {
					t.Fatalf("%v after %d requests, want the answer from the other host", err, len(seen))
				}
				for _, secret := range []string{"Authorization", "Cookie", "Referer"} {
					if seen[0].Header.Get(secret) != "" {
						t.Errorf("the other host got %s", secret)
					}
				}
			})
		}
		if !c.reading {
			continue
		}
		t.Run(c.name+" refused elsewhere", func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			for _, status := range []int{401, 403, 404, 410, 429, 500} {
				f.On(c.op, Redirect(302, f.StoreURL+"/large"))
				f.On(OpUpload, Status(status, "<Error><Code>AccessDenied</Code></Error>"))
				if e := asError(t, c.do(t.Context(), p, f), c.errorOp); e.Kind != extraction.KindTransient {
					t.Errorf("%d of the other host: %s, want transient: it says nothing about the account", status, e.Kind)
				}
			}
		})
		t.Run(c.name+" in a circle", func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			f.On(c.op, Redirect(302, f.StoreURL+"/a"))
			f.On(OpUpload, Redirect(302, f.StoreURL+"/a"))
			if e := asError(t, c.do(t.Context(), p, f), c.errorOp); e.Kind != extraction.KindTransient {
				t.Errorf("%s, want transient", e.Kind)
			}
		})
	}
	if !h.uploads(t) {
		return
	}
	t.Run("the store gets no key", func(t *testing.T) {
		t.Parallel()
		f, p := h.start(t)
		doc := NewDocument(100)
		if err := p.(extraction.Uploader).Put(t.Context(), f.upload(), h.twoSteps(doc)); err != nil {
			t.Fatalf("Put: %v", err)
		}
		got := f.Requests(OpUpload)[0]
		if got.Header.Get("Authorization") != "" {
			t.Errorf("the store got the key")
		}
		if url := f.StoreURL + got.Path + "?" + got.Query; url != f.SignedURL(VendorID) {
			t.Errorf("the signed URL was changed on the way:\n got %s\nwant %s", url, f.SignedURL(VendorID))
		}
		if !bytes.Equal(got.Body, doc.Bytes) {
			t.Errorf("another document arrived")
		}
	})
}

// wait waits for something that happens in another goroutine.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !done() {
		if ctx.Err() != nil {
			t.Fatalf("waited in vain for %s", what)
		}
		tick(ctx)
	}
}

// tick passes a millisecond, or less if the context ends.
func tick(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Millisecond):
	}
}
