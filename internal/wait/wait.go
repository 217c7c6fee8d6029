// Package wait sleeps until a time has passed or a context ends.
package wait

import (
	"context"
	"time"
)

// For waits for d, not at all where d is not above zero. It returns the cause of the
// context's end if that comes first.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
