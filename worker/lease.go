package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/extractq/extractq/store"
)

// errLeaseLost ends every call of a step whose lease is over: another worker may
// be carrying it out by now.
var errLeaseLost = errors.New("lease lost")

// hold keeps the lease of a step alive. Its context ends with the lease.
type hold struct {
	renew func(ctx context.Context) error
	d     time.Duration

	// start and end are local: the lease ends here no later than in Redis,
	// because it is counted from before the script was sent.
	start time.Time
	end   atomic.Int64

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
}

// keep renews a lease of d until stop. asked is a local time before the lease was asked
// for.
func keep(ctx context.Context, renew func(ctx context.Context) error, d time.Duration, asked time.Time) *hold {
	h := &hold{renew: renew, d: d, start: asked}
	h.end.Store(int64(d))
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	h.wg.Go(h.heartbeat)
	return h
}

// stop ends the heartbeat and waits for it. The lease itself is given back by
// the script that ends the step.
func (h *hold) stop() {
	h.cancel(context.Canceled)
	h.wg.Wait()
}

// left is how long the lease lasts, by the monotonic clock: it also counts the
// time in which the process was frozen.
func (h *hold) left() time.Duration {
	return time.Duration(h.end.Load()) - time.Since(h.start)
}

// heartbeat renews three times a lease, so that one may be lost.
func (h *hold) heartbeat() {
	ticker := time.NewTicker(h.d / 3)
	defer ticker.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-ticker.C:
		}
		left := h.left()
		if left <= 0 {
			h.cancel(errLeaseLost)
			return
		}
		asked := time.Since(h.start)
		ctx, cancel := context.WithTimeoutCause(h.ctx, left, errLeaseLost)
		err := h.renew(ctx)
		cancel()
		switch {
		case err == nil:
			h.end.Store(int64(asked + h.d))
		case errors.Is(err, store.ErrStale), h.left() <= 0:
			h.cancel(errLeaseLost)
			return
		}
		// Any other error is trouble with Redis: the next beat tries again, and
		// the end of the lease is the end of the step.
	}
}

// guard refuses to hand out a document's bytes once the lease is over, so that a
// worker that was frozen past it cannot complete an upload on waking. Before
// the last byte it calls last, whose error keeps that byte back: a body that was
// not read to its end was not submitted.
//
// The transport may go on reading after the call has returned. The step that decides
// what the call came to calls settle first, after which nothing is handed out.
type guard struct {
	hold *hold
	last func() error // May be nil.

	mu       sync.Mutex
	body     io.ReadCloser
	left     int64 // Bytes not handed out yet.
	released bool  // The last byte was let go.
	settled  bool
	err      error // Why the body could not be read.
}

// errSettled ends the reading of a body whose call is over.
var errSettled = errors.New("the call is over")

// settle ends the handing out. It reports whether the last byte was let go, and
// why the body could not be read.
func (g *guard) settle() (released bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled = true
	return g.released, g.err
}

// Read hands out bytes while the lease lasts.
func (g *guard) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.settled {
		return 0, errSettled
	}
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		g.err = err
	}
	return n, err
}

func (g *guard) read(p []byte) (int, error) {
	if g.hold.left() <= 0 {
		return 0, errLeaseLost
	}
	n, err := g.body.Read(p)
	g.left -= int64(n)
	if g.left <= 0 && !g.released {
		if g.last != nil {
			if err := g.last(); err != nil {
				return 0, fmt.Errorf("journal the last byte: %w", err)
			}
		}
		if g.hold.left() <= 0 {
			return 0, errLeaseLost
		}
		g.released = true
	}
	if g.hold.left() <= 0 {
		return 0, errLeaseLost
	}
	return n, err
}

// Close closes the body.
func (g *guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.body.Close()
}
