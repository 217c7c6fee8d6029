package documents

import (
	"context"
	"io"
)

// interruptible is a reader whose Read ends with ctx, also while it waits, as for a
// terminal. What is read after that is lost.
type interruptible struct {
	ctx context.Context // A reader's methods take none.
	r   io.Reader
}

// NewInterruptible returns a reader of r whose Read ends with ctx.
func NewInterruptible(ctx context.Context, r io.Reader) io.Reader { return interruptible{ctx, r} }

// Read reads in a goroutine of its own. When the context ends, the goroutine remains until
// the process ends.
func (i interruptible) Read(p []byte) (int, error) {
	type piece struct {
		bytes []byte
		err   error
	}
	read := make(chan piece, 1)
	own := make([]byte, len(p))
	go func() {
		n, err := i.r.Read(own)
		read <- piece{own[:n], err}
	}()
	select {
	case got := <-read:
		return copy(p, got.bytes), got.err
	case <-i.ctx.Done():
		return 0, context.Cause(i.ctx)
	}
}
