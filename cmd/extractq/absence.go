package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// presentFor is how long no command may fail before Redis counts as back, and none
	// succeed before a time-out counts as its absence.
	presentFor = time.Second
	// maxMarks bounds how many different errors are told apart.
	maxMarks = 16
)

// absence says in the log that Redis is away, once, and that it is back. What a process
// logs meanwhile of each try that fails for this reason is left out: a worker makes five a
// second, each with other words. It learns of Redis as a hook of its client.
type absence struct {
	log *slog.Logger // Without absentHandler.

	away             atomic.Bool
	success, failure atomic.Int64 // When the latest was, in nanoseconds since began.
	began            time.Time

	mu    sync.Mutex
	since time.Time
	marks []string // What errors of this absence say.
	left  int      // How many lines were left out.
}

// noteAbsence lets the log of a process that works for others be brief about a Redis that
// is away.
func (s *settings) noteAbsence() {
	s.absence = &absence{log: s.log, began: time.Now()}
	s.log = slog.New(absentHandler{s.log.Handler(), s.absence})
}

var _ redis.Hook = (*absence)(nil)

// DialHook changes nothing: a command that finds no connection says so.
func (a *absence) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook learns from each command.
func (a *absence) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		a.learn(ctx, err)
		return err
	}
}

// ProcessPipelineHook learns from each pipeline.
func (a *absence) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		a.learn(ctx, err)
		return err
	}
}

func (a *absence) learn(ctx context.Context, err error) {
	mark, sure := absent(err)
	switch {
	case mark != "" && (sure || a.away.Load() || a.age(&a.success) > presentFor):
		a.failure.Store(int64(time.Since(a.began)))
		a.begin(ctx, mark, err)
	case mark != "", errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, redis.ErrPoolTimeout):
	default:
		a.success.Store(int64(time.Since(a.began)))
		if a.away.Load() && a.age(&a.failure) > presentFor {
			a.end(ctx)
		}
	}
}

func (a *absence) age(at *atomic.Int64) time.Duration {
	return time.Since(a.began) - time.Duration(at.Load())
}

// absent is what every error says that has the cause of err, where that is the absence of
// Redis; sure reports whether one such error is enough.
func absent(err error) (mark string, sure bool) {
	if err == nil {
		return "", false
	}
	if redis.IsLoadingError(err) || redis.IsMasterDownError(err) {
		word, _, _ := strings.Cut(err.Error(), " ")
		return word + " ", true
	}
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok:
		return "", false
	case op.Addr == nil:
		return op.Err.Error(), op.Op == "dial"
	}
	return op.Addr.String() + ": " + op.Err.Error(), op.Op == "dial" // The own end has another port each time.
}

// begin notes a failure, and says what is the matter with the first.
func (a *absence) begin(ctx context.Context, mark string, err error) {
	a.mu.Lock()
	first := a.since.IsZero()
	if first {
		a.since, a.marks, a.left = time.Now(), nil, 0
	}
	if len(a.marks) < maxMarks && !slices.Contains(a.marks, mark) {
		a.marks = append(a.marks, mark)
	}
	a.mu.Unlock()
	if first {
		a.away.Store(true)
		a.log.WarnContext(ctx, "Redis is away", slog.Any("error", err))
	}
}

func (a *absence) end(ctx context.Context) {
	a.mu.Lock()
	since, left := a.since, a.left
	a.since = time.Time{}
	a.mu.Unlock()
	if !since.IsZero() {
		a.away.Store(false)
		a.log.InfoContext(ctx, "Redis is back", slog.Duration("after", time.Since(since).Round(time.Millisecond)),
			slog.Int("lines_left_out", left))
	}
}

// tells reports whether a text is about the present absence, and counts it.
func (a *absence) tells(text string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since.IsZero() || !slices.ContainsFunc(a.marks, func(mark string) bool { return strings.Contains(text, mark) }) {
		return false
	}
	a.left++
	return true
}

// absentHandler leaves out what is logged of an absence. Whoever asks for debug lines gets
// all.
type absentHandler struct {
	slog.Handler

	of *absence
}

// Handle implements slog.Handler.
func (h absentHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && h.of.away.Load() && !h.Enabled(ctx, slog.LevelDebug) {
		about := false
		r.Attrs(func(a slog.Attr) bool {
			about = h.of.tells(a.Value.String())
			return !about
		})
		if about {
			return nil
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h absentHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return absentHandler{h.Handler.WithAttrs(attrs), h.of}
}

// WithGroup implements slog.Handler.
func (h absentHandler) WithGroup(name string) slog.Handler {
	return absentHandler{h.Handler.WithGroup(name), h.of}
}
