package client

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"
)

// errSilent is the cause of a request's end when its server falls silent.
var errSilent = errors.New("the server has fallen silent")

// watch ends a request when the server neither takes nor sends a byte for a while. The time
// in which the caller supplies or consumes bytes does not count.
type watch struct {
	timer *time.Timer
	limit time.Duration
	stop  context.CancelCauseFunc
}

func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	ctx, stop := context.WithCancelCause(ctx)
	return ctx, &watch{timer: time.AfterFunc(limit, func() { stop(errSilent) }), limit: limit, stop: stop}
}

// wait starts the time of the server, or restarts it; rest stops it.
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
	ctx   context.Context // The caller's; the methods of a reader take no context.

	upload *upload // The body of the request; nil if it has none.
}

// Read reads the answer. If it breaks off, the error is an *Error.
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

// upload is the body of one request. It knows when it is no longer read, and the error its
// source ended with.
type upload struct {
	r      io.Reader
	length int64 // -1 if unknown.
	close  func()
	watch  *watch

	// sem is held while the source is read, and for good after finish.
	sem    chan struct{}
	done   bool
	failed error
}

func newUpload(r io.Reader, length int64, closer func()) *upload {
	return &upload{r: r, length: length, close: closer, sem: make(chan struct{}, 1)}
}

// errFinished is returned to a transport that reads on after the request has ended.
var errFinished = errors.New("the request is over")

// Read reads the source until the request ends.
func (u *upload) Read(p []byte) (int, error) {
	select {
	case u.sem <- struct{}{}:
	default:
		return 0, errFinished
	}
	defer func() { <-u.sem }()
	u.watch.rest()
	n, err := u.r.Read(p)
	u.watch.wait()
	if err != nil && !errors.Is(err, io.EOF) {
		u.failed = err
	}
	return n, err
}

// Close is for the transport, which may call it during a Read.
func (u *upload) Close() error { return nil }

// finish waits until the source is no longer read, closes it, and returns the error that it
// ended with, if any.
func (u *upload) finish() error {
	if u == nil || u.done {
		return nil
	}
	u.done = true
	u.sem <- struct{}{} // Never released.
	if u.close != nil {
		u.close()
	}
	return u.failed
}
