package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	read := func(ctx context.Context, r io.Reader, length, limit int64) (string, error) {
		a, err := ReadAnswer(ctx, r, length, limit)
		if err != nil {
			return "", err
		}
		var got string
		err = a.Do(func() error { got = string(a.Bytes); return nil })
		return got, err
	}
	for _, length := range []int64{-1, 0, 3, 5} { // What the header says may be wrong.
		if got, err := read(t.Context(), strings.NewReader("12345"), length, 5); got != "12345" || err != nil {
			t.Errorf("5 of 5 bytes, said to be %d: %q, %v", length, got, err)
		}
		if _, err := read(t.Context(), strings.NewReader("123456"), length, 5); !errors.Is(err, TooLong{5}) {
			t.Errorf("6 of 5 bytes, said to be %d: %v", length, err)
		}
	}
	if _, err := read(t.Context(), iotest.ErrReader(errors.New("read")), 6, 5); !errors.Is(err, TooLong{5}) {
		t.Errorf("6 of 5 bytes are read before they are refused: %v", err)
	}
	watched, cancel := WithTimeout(SpoolTo(t.Context(), t.TempDir()), time.Hour)
	defer cancel()
	for _, size := range []int{LargeAt - 1, LargeAt, LargeAt + 1, 5*LargeAt + 7} {
		large := strings.Repeat("x", size-1) + "y"
		for _, ctx := range []context.Context{t.Context(), watched} {
			for _, length := range []int64{-1, int64(size), 100, int64(size) * 2} {
				got, err := read(ctx, strings.NewReader(large), length, int64(size)*2)
				if got != large || err != nil {
					t.Errorf("%d bytes, said to be %d: %d bytes, %v", size, length, len(got), err)
				}
			}
			if _, err := read(ctx, strings.NewReader(large), -1, int64(size)-1); !errors.Is(err, TooLong{int64(size) - 1}) {
				t.Errorf("%d bytes of %d: %v", size, size-1, err)
			}
			if _, err := read(ctx, io.MultiReader(strings.NewReader(large), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, int64(size)*2); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes and an error: %v", size, err)
			}
		}
	}
}

// A large answer has a file while the transfer lasts, which has no name; then it is gone,
// and reading it is an error.
func TestSpooledAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := WithTimeout(SpoolTo(t.Context(), dir), time.Hour)
	a, err := ReadAnswer(ctx, bytes.NewReader(make([]byte, 3*LargeAt)), -1, 4*LargeAt)
	if err != nil || len(a.Bytes) != 3*LargeAt || !a.mapped {
		t.Fatalf("%v, %+v", err, a)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the directory has %v, %v", left, err)
	}
	cancel()
	cancel()
	called := false
	err = a.Do(func() error { called = true; return nil })
	if _, ours := errors.AsType[*SpoolError](err); !ours || called {
		t.Errorf("after the transfer: %v, called %t", err, called)
	}
	if _, err := ReadAnswer(ctx, bytes.NewReader(make([]byte, 3*LargeAt)), -1, 4*LargeAt); !errors.Is(err, context.Canceled) {
		t.Errorf("a transfer that is over: %v", err)
	}
}

// Trouble with the file says so. It does not end the process, also where the file changes
// under it.
func TestSpoolFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := WithTimeout(SpoolTo(t.Context(), t.TempDir()+"/gone"), time.Hour)
	defer cancel()
	_, err := ReadAnswer(ctx, bytes.NewReader(make([]byte, 3*LargeAt)), -1, 4*LargeAt)
	if _, ours := errors.AsType[*SpoolError](err); !ours || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	f, err := os.Create(t.TempDir() + "/short")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Truncate(LargeAt); err != nil {
		t.Fatal(err)
	}
	b, unmap, err := mapFile(f, LargeAt)
	if err != nil {
		t.Fatal(err)
	}
	defer unmap()
	a := &Answer{Bytes: b, mapped: true}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	sum := 0
	err = a.Do(func() error {
		for _, c := range a.Bytes {
			sum += int(c)
		}
		return nil
	})
	if _, ours := errors.AsType[*SpoolError](err); !ours {
		t.Errorf("a file that became shorter: %v, %d", err, sum)
	}
}
