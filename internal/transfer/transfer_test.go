package transfer

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// A transfer that moves has no limit; one that stands still ends.
func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		slow := iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 60)))
		for r := Reader(ctx, slow); ; time.Sleep(29 * time.Second) {
			if _, err := r.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
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

// Without a watch there is nobody to tell.
func TestUnwatched(t *testing.T) {
	t.Parallel()
	Moved(t.Context())
	if b, err := io.ReadAll(Reader(t.Context(), strings.NewReader("x"))); err != nil || string(b) != "x" {
		t.Errorf("read %q, %v", b, err)
	}
}
