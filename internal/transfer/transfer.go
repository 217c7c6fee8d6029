// Package transfer bounds transfers to and from vendors and the document store by
// progress, and keeps large answers out of memory.
//
// How long a transfer takes in all depends on its size and on the line, which others
// share; that nothing has moved for half a minute says that it will not end, and so does a
// rate that no line in use has. The context carries the watch, so that code that moves
// bytes can report progress however deep below the caller it is. Without a watch in the
// context a report goes nowhere.
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

// A transfer that never stands still but drips holds a worker's slot all the same. It ends
// when it has moved less than leastRate bytes a second over a window of so many timeouts:
// 120 KiB in two minutes.
const (
	leastRate = 1 << 10
	window    = 4
)

type key struct{}

// watch is the timer of one transfer, and what its answer takes.
type watch struct {
	d      time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	since   time.Time // When the present window began,
	moved   int64     // and how many bytes have moved in it.
	done    bool
	release []func()
}

// WithTimeout returns a context that ends once nothing has moved for d, or far too little
// for several times d; its cause then says so. The caller calls cancel when it has done with what was transferred.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{d: d, cancel: cancel, since: time.Now()}
	w.timer = time.AfterFunc(d, func() { cancel(&Error{After: d}) })
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

// Error is the cause of a context that ended because nothing moved, or next to nothing.
type Error struct {
	After time.Duration
	Moved int64 // In bytes, of a transfer that drips.
}

func (e *Error) Error() string {
	if e.Moved > 0 {
		return fmt.Sprintf("only %d bytes moved in %v", e.Moved, e.After)
	}
	return fmt.Sprintf("nothing moved for %v", e.After)
}

// Timeout reports that this is a timeout, as net.Error has it.
func (e *Error) Timeout() bool { return true }

// Unwrap makes it a context.DeadlineExceeded.
func (e *Error) Unwrap() error { return context.DeadlineExceeded }

// Moved says that so many bytes of the context's transfer have moved.
func Moved(ctx context.Context, n int) {
	if w, ok := ctx.Value(key{}).(*watch); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		w.moved += int64(n)
		if took := time.Since(w.since); took >= window*w.d {
			if float64(w.moved) < leastRate*took.Seconds() {
				w.cancel(&Error{After: took.Round(time.Second), Moved: w.moved})
				return
			}
			w.since, w.moved = time.Now(), 0
		}
		w.timer.Reset(w.d)
	}
}

// Answered says that a request of the context's transfer has got its answer, and what
// follows is measured anew.
func Answered(ctx context.Context) {
	if w, ok := ctx.Value(key{}).(*watch); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		if ctx.Err() == nil {
			w.since, w.moved = time.Now(), 0
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
		Moved(r.ctx, n)
	}
	return n, err
}
