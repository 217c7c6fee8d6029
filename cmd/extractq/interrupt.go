package main

import (
	"context"
	"errors"
	"io"
)

// interrupted is err, or the signal that ended ctx where err is only what came of
// that: a command stopped in the middle of a call has not met trouble.
func interrupted(ctx context.Context, err error) error {
	if s, ok := errors.AsType[signaled](context.Cause(ctx)); ok && errors.Is(err, context.Canceled) {
		return s
	}
	return err
}

// interruptible is a reader whose Read ends with ctx, also where nothing comes, as
// from a terminal. What is read after that is lost.
type interruptible struct {
	ctx context.Context // A reader's methods take none.
	r   io.Reader
}

// Read reads in a goroutine of its own, which stays behind with the process when
// the context ends.
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
