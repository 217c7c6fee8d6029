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

// There are two slots for large answers. The clock of a transfer that waits for one
// stands, and it goes on when another is done.
func TestLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots = make(chan struct{}, 2) // A channel of the bubble's own.
		var cancels []context.CancelFunc
		var last context.Context
		begun := make(chan error, 3)
		for range 3 {
			ctx, cancel := WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			last, cancels = ctx, append(cancels, cancel)
			go func() { begun <- Large(ctx) }()
			synctest.Wait()
		}
		if len(begun) != 2 {
			t.Fatalf("%d large answers are read at once, want 2", len(begun))
		}
		time.Sleep(time.Hour)
		if last.Err() != nil {
			t.Fatalf("the waiting one ended: %v", context.Cause(last))
		}
		cancels[0]()
		cancels[0]() // Gives nothing back twice.
		synctest.Wait()
		if len(begun) != 3 || len(slots) != 2 {
			t.Errorf("%d have begun and %d slots are taken, want 3 and 2", len(begun), len(slots))
		}
		time.Sleep(31 * time.Second)
		if last.Err() == nil {
			t.Error("the clock stands after the wait")
		}
		cancels[1]()
		cancels[2]()
		if len(slots) != 0 {
			t.Errorf("%d slots are still taken", len(slots))
		}
	})
}

// A transfer that ends while it waits takes no slot with it.
func TestLargeCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots = make(chan struct{}, 2)
		slots <- struct{}{}
		slots <- struct{}{}
		ctx, cancel := WithTimeout(t.Context(), 30*time.Second)
		begun := make(chan error, 1)
		go func() { begun <- Large(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-begun; !errors.Is(err, context.Canceled) || len(slots) != 2 {
			t.Errorf("%v, %d slots taken", err, len(slots))
		}
	})
}

// Without a watch there is nobody to tell.
func TestUnwatched(t *testing.T) {
	t.Parallel()
	Moved(t.Context())
	if err := Large(t.Context()); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(Reader(t.Context(), strings.NewReader("x"))); err != nil || string(b) != "x" {
		t.Errorf("read %q, %v", b, err)
	}
}
