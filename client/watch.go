package client

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"
)

// errSilent is the cause of the end of a request whose server fell silent.
var errSilent = errors.New("the server has fallen silent")

// watch ends a request whose server neither takes nor sends a byte for a while. The
// time that the caller takes to give or use bytes does not count.
type watch struct {
	timer *time.Timer
	limit time.Duration
	stop  context.CancelCauseFunc
}

func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	ctx, stop := context.WithCancelCause(ctx)
	return ctx, &watch{timer: time.AfterFunc(limit, func() { stop(errSilent) }), limit: limit, stop: stop}
}

// wait begins, or begins anew, to wait for the server; rest waits for the caller.
func (w *watch) wait() { w.timer.Reset(w.limit) }
func (w *watch) rest() { w.timer.Stop() }

func (w *watch) end() {
	w.timer.Stop()
	w.stop(nil)
}

// watched is the body of an answer.
type watched struct {
	body  io.ReadCloser
	watch *watch
	ctx   context.Context // The caller's; a reader's methods take none.

	upload *upload // The request's; nil where it had no body.
}

// Read reads what comes. An answer that breaks off is an *Error.
func (b *watched) Read(p []byte) (int, error) {
	b.watch.wait()
	n, err := b.body.Read(p)
	b.watch.rest()
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case b.ctx.Err() != nil:
		return n, context.Cause(b.ctx)
	}
	return n, unreachable(&url.Error{Err: errors.New("the answer broke off: " + err.Error())})
}

// Close ends the request.
func (b *watched) Close() error {
	_ = b.upload.finish()
	err := b.body.Close()
	b.watch.end()
	return err
}

// upload is the body of one request. It knows when it is no longer read, and
// what its source ended with.
type upload struct {
	r      io.Reader
	length int64 // -1 if unknown.
	close  func()
	watch  *watch

	// turn is taken by the reader, and kept by finish.
	turn   chan struct{}
	done   bool
	failed error
}

func newUpload(r io.Reader, length int64, closer func()) *upload {
	return &upload{r: r, length: length, close: closer, turn: make(chan struct{}, 1)}
}

// errFinished is what the transport gets that reads on after the request is over.
var errFinished = errors.New("the request is over")

// Read reads the source, while the request lasts.
func (u *upload) Read(p []byte) (int, error) {
	select {
	case u.turn <- struct{}{}:
	default:
		return 0, errFinished
	}
	defer func() { <-u.turn }()
	u.watch.rest()
	n, err := u.r.Read(p)
	u.watch.wait()
	if err != nil && !errors.Is(err, io.EOF) {
		u.failed = err
	}
	return n, err
}

// Close is for the transport, which may call it while it reads.
func (u *upload) Close() error { return nil }

// finish waits until the source is no longer read, closes it, and returns the error
// that it ended with, if any.
func (u *upload) finish() error {
	if u == nil || u.done {
		return nil
	}
	u.done = true
	u.turn <- struct{}{} // For good.
	if u.close != nil {
		u.close()
	}
	return u.failed
}
