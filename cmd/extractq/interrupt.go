package main

import (
	"context"
	"errors"
)

// interrupted is err, or the signal that ended ctx where err is only what came of
// that: a command stopped in the middle of a call has not met trouble.
func interrupted(ctx context.Context, err error) error {
	if s, ok := errors.AsType[signaled](context.Cause(ctx)); ok && errors.Is(err, context.Canceled) {
		return s
	}
	return err
}
