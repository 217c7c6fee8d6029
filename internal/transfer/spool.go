package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
)

// LargeAt is the size from which an answer goes to a file.
const LargeAt = 1 << 20

type spoolKey struct{}

// SpoolTo says in which directory the answers of the context's transfers go to a file.
// Without it that is the system's for temporary files.
func SpoolTo(ctx context.Context, dir string) context.Context {
	return context.WithValue(ctx, spoolKey{}, dir)
}

// SpoolError is trouble with that file: ours, and not of the side that answers.
type SpoolError struct{ Err error }

func (e *SpoolError) Error() string { return "keep the answer in a file: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *SpoolError) Unwrap() error { return e.Err }

// Answer is an answer that was read to its end. A large one is in a file that has no name
// any more and is mapped into memory, where the system may take its pages back: it is
// there until the context's transfer is canceled.
type Answer struct {
	// Bytes are read within Do.
	Bytes    []byte
	mapped   bool
	released atomic.Bool
}

var errReleased = errors.New("it was given back already")

// Do calls f, which may read Bytes. A file that cannot be read is an error, and no crash.
func (a *Answer) Do(f func() error) (err error) {
	if !a.mapped {
		return f()
	}
	if a.released.Load() {
		return &SpoolError{errReleased}
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			err = &SpoolError{p}
		default:
			panic(p)
		}
	}()
	return f()
}

// TooLong is the error for an answer above its limit.
type TooLong struct{ Limit int64 }

func (e TooLong) Error() string {
	return fmt.Sprintf("the answer is too long: more than %d bytes", e.Limit)
}

// ReadAnswer reads an answer to its end, at most limit bytes of it. length is what its
// header says, -1 where that says nothing. Without a watch in the context, whose end gives
// a file back, all of it is in memory.
func ReadAnswer(ctx context.Context, r io.Reader, length, limit int64) (*Answer, error) {
	if length > limit {
		return nil, TooLong{limit}
	}
	r = Reader(ctx, r)
	w, watched := ctx.Value(key{}).(*watch)
	// A header may promise more than comes: no more memory than that is taken for it.
	b := make([]byte, 0, min(max(length+1, 4<<10), LargeAt))
	for {
		if len(b) == cap(b) && watched && len(b) >= LargeAt {
			return w.spool(ctx, b, r, limit)
		}
		if len(b) == cap(b) {
			b = slices.Grow(b, 1)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return nil, TooLong{limit}
		case err == io.EOF: // A wrapped one is a failure, not the end.
			return &Answer{Bytes: b}, nil
		case err != nil:
			return nil, err
		}
	}
}

// spool puts an answer into a file: its head, which was read, and the rest.
func (w *watch) spool(ctx context.Context, head []byte, rest io.Reader, limit int64) (*Answer, error) {
	dir, _ := ctx.Value(spoolKey{}).(string)
	f, err := os.CreateTemp(dir, ".answer-*")
	if err != nil {
		return nil, &SpoolError{err}
	}
	defer func() { _ = f.Close() }()
	if err := os.Remove(f.Name()); err != nil { // Nothing of it outlives this process.
		return nil, &SpoolError{err}
	}
	if _, err := f.Write(head); err != nil {
		return nil, &SpoolError{err}
	}
	// Only what it cannot write is the file's fault.
	n, err := io.CopyBuffer(spoolWriter{f}, struct{ io.Reader }{io.LimitReader(rest, limit+1-int64(len(head)))}, head[:64<<10])
	if err != nil {
		return nil, err
	}
	size := int64(len(head)) + n
	if size > limit {
		return nil, TooLong{limit}
	}
	b, unmap, err := mapFile(f, size)
	if err != nil {
		return nil, &SpoolError{err}
	}
	a := &Answer{Bytes: b, mapped: true}
	w.mu.Lock()
	defer w.mu.Unlock()
	release := func() { a.released.Store(true); unmap() }
	if w.done {
		release()
		return nil, context.Cause(ctx)
	}
	w.release = append(w.release, release)
	return a, nil
}

type spoolWriter struct{ f *os.File }

func (w spoolWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = &SpoolError{err}
	}
	return n, err
}
