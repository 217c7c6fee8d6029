// Package transfer bounds transfers to and from vendors and the document store by
// progress, and keeps large answers out of memory.
//
// How long a transfer takes in all depends on its size and on the line, which others
// share; that nothing has moved for half a minute says that it will not end. The
// context carries the watch, so that code that moves bytes can report progress however
// deep below the caller it is. Without a watch in the context a report goes nowhere.
package transfer

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Timeout is how long a transfer may stand still.
const Timeout = 30 * time.Second

type key struct{}

// watch is the timer of one transfer, and what its answer takes.
type watch struct {
	d     time.Duration
	timer *time.Timer

	mu      sync.Mutex
	done    bool
	release []func()
}

// WithTimeout returns a context that ends once nothing has moved for d; its cause then
// says so. The caller calls cancel when it has done with what was transferred.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{d: d}
	w.timer = time.AfterFunc(d, func() { cancel(&Error{d}) })
	return context.WithValue(ctx, key{}, w), func() {
		w.timer.Stop()
		cancel(context.Canceled)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.done = true
		for _, release := range w.release {
			release()
		}
		w.release = nil
	}
}

// Error is the cause of a context that ended because nothing moved.
type Error struct{ After time.Duration }

func (e *Error) Error() string { return fmt.Sprintf("nothing moved for %v", e.After) }

// Timeout reports that this is a timeout, as net.Error has it.
func (e *Error) Timeout() bool { return true }

// Unwrap makes it a context.DeadlineExceeded.
func (e *Error) Unwrap() error { return context.DeadlineExceeded }

// Moved says that the transfer of the context moves.
func Moved(ctx context.Context) {
	if w, ok := ctx.Value(key{}).(*watch); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		if ctx.Err() == nil {
			w.timer.Reset(w.d)
		}
	}
}

// Reader reads from r and says that the transfer of the context moves whenever
// there is something to read.
func Reader(ctx context.Context, r io.Reader) io.Reader { return &reader{ctx, r} }

type reader struct {
	ctx context.Context //nolint:containedctx // A reader has no other way to it.
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		Moved(r.ctx)
	}
	return n, err
}
