package app

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
	// presentFor is how long no command may fail before Redis counts as back, and how long
	// none may succeed before a time-out counts as an outage.
	presentFor = time.Second
	// maxMarks is the number of different errors that are recognized.
	maxMarks = 16
)

// outageLog logs once that Redis is away, and once that it is back. It drops the lines that
// the process logs about each failed try in between: a worker makes five a second, each
// with a different text. It observes Redis as a hook of its client.
type outageLog struct {
	log *slog.Logger // Without outageHandler.

	away             atomic.Bool
	success, failure atomic.Int64 // When the latest was, in nanoseconds since began.
	began            time.Time

	mu    sync.Mutex
	since time.Time
	marks []string // Texts of the errors of this outage.
	left  int      // The number of dropped lines.
}

// BriefOutages makes the process log an outage of Redis once, not every failed try.
func (s *Process) BriefOutages() {
	s.outages = &outageLog{log: s.Log, began: time.Now()}
	s.Log = slog.New(outageHandler{s.Log.Handler(), s.outages})
}

var _ redis.Hook = (*outageLog)(nil)

// DialHook changes nothing: a command without a connection fails, which ProcessHook sees.
func (a *outageLog) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook observes each command.
func (a *outageLog) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		a.learn(ctx, err)
		return err
	}
}

// ProcessPipelineHook observes each pipeline.
func (a *outageLog) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		a.learn(ctx, err)
		return err
	}
}

func (a *outageLog) learn(ctx context.Context, err error) {
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

func (a *outageLog) age(at *atomic.Int64) time.Duration {
	return time.Since(a.began) - time.Duration(at.Load())
}

// absent returns a text that every error with the same cause as err contains, if the cause
// is an outage of Redis. sure reports whether one such error proves an outage.
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
	return op.Addr.String() + ": " + op.Err.Error(), op.Op == "dial" // The local end has another port each time.
}

// begin notes a failure, and logs the first one.
func (a *outageLog) begin(ctx context.Context, mark string, err error) {
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

func (a *outageLog) end(ctx context.Context) {
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

// counts reports whether a text is about the present outage, and counts it.
func (a *outageLog) counts(text string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since.IsZero() || !slices.ContainsFunc(a.marks, func(mark string) bool { return strings.Contains(text, mark) }) {
		return false
	}
	a.left++
	return true
}

// outageHandler drops what is logged about an outage, unless debug lines are logged.
type outageHandler struct {
	slog.Handler

	of *outageLog
}

// Handle implements slog.Handler.
func (h outageHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && h.of.away.Load() && !h.Enabled(ctx, slog.LevelDebug) {
		about := false
		r.Attrs(func(a slog.Attr) bool {
			about = h.of.counts(a.Value.String())
			return !about
		})
		if about {
			return nil
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h outageHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return outageHandler{h.Handler.WithAttrs(attrs), h.of}
}

// WithGroup implements slog.Handler.
func (h outageHandler) WithGroup(name string) slog.Handler {
	return outageHandler{h.Handler.WithGroup(name), h.of}
}
