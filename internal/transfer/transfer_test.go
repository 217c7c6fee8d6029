package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A transfer that moves has no limit; one that stands still ends.
func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		piece := make([]byte, 32<<10)
		for r := Reader(ctx, bytes.NewReader(make([]byte, 60*len(piece)))); ; time.Sleep(29 * time.Second) {
			if _, err := io.ReadFull(r, piece); errors.Is(err, io.EOF) {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("ended while it moved: %v", context.Cause(ctx))
			}
		}
		time.Sleep(time.Second + time.Millisecond) // The end is no byte.
		if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) || err.Error() != "nothing moved for 30s" {
			t.Errorf("cause %v after 30 s without a byte", err)
		}
	})
}

// A transfer that drips ends after the first window in which it does; what was fast
// before does not help it.
func TestDrip(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 10 << 20} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			began := time.Now()
			r := Reader(ctx, zeros{})
			if _, err := io.CopyN(io.Discard, r, int64(before)); err != nil {
				t.Fatal(err)
			}
			for ; ctx.Err() == nil; time.Sleep(time.Second) {
				if _, err := r.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				if time.Since(began) > 5*time.Minute {
					t.Fatal("a byte a second goes on for five minutes")
				}
			}
			err := context.Cause(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "only 12") {
				t.Errorf("cause %v after two minutes of a byte a second", err)
			}
		})
	}
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// The time in which each of several requests waits for its answer is not held against
// what moves.
func TestAnsweredBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for range 20 {
			time.Sleep(29 * time.Second)
			Answered(ctx)
			Moved(ctx, 100)
		}
		if err := context.Cause(ctx); err != nil {
			t.Errorf("ended: %v", err)
		}
	})
}

// Without a watch there is nothing to report to.
func TestUnwatched(t *testing.T) {
	t.Parallel()
	Moved(t.Context(), 1)
	if b, err := io.ReadAll(Reader(t.Context(), strings.NewReader("x"))); err != nil || string(b) != "x" {
		t.Errorf("read %q, %v", b, err)
	}
}
