package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
)

func TestInterrupted(t *testing.T) {
	t.Parallel()
	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(signaled{syscall.SIGINT})
	inACall := errkind.MarkUnavailable(fmt.Errorf("read list of acme: %w", context.Canceled))
	for name, tt := range map[string]struct {
		ctx  context.Context
		err  error
		want int
	}{
		"in a call":              {stopped, inACall, exitInterrupted},
		"trouble all the same":   {stopped, errkind.MarkUnavailable(errors.New("refused")), exitUnavailable},
		"a call without signals": {t.Context(), inACall, exitUnavailable},
		"nothing":                {stopped, nil, exitOK},
	} {
		if got := report(io.Discard, interrupted(tt.ctx, tt.err)); got != tt.want {
			t.Errorf("%s: exit code %d, want %d", name, got, tt.want)
		}
	}
}

func TestInterruptible(t *testing.T) {
	t.Parallel()
	const text = "what a user types"
	if got, err := io.ReadAll(documents.NewInterruptible(t.Context(), strings.NewReader(text))); string(got) != text || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	silent, w := io.Pipe() // Without a writer.
	defer func() { _ = w.Close() }()
	cancel(signaled{syscall.SIGINT})
	_, err := io.ReadAll(documents.NewInterruptible(ctx, silent))
	if got := report(new(bytes.Buffer), err); got != exitInterrupted {
		t.Errorf("read %v, exit code %d", err, got)
	}
}
