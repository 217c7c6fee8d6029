package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/store"
)

// lostNamed bounds how many lost extractions have a log line of their own.
const lostNamed = 1000

// nameLost says which extractions were accepted and have no record any more: Redis has gone
// back to a time before them.
func (w *Worker) nameLost(ctx context.Context) {
	n := 0
	err := w.records.Lost(ctx, w.cfg.Blobs, store.AcceptedFor, func(a store.Accepted) error {
		if n++; n <= lostNamed {
			w.log.ErrorContext(ctx, "Redis has lost the record of an accepted extraction: extractq recover makes it anew",
				slog.String("extraction_id", a.ID), slog.String("account", a.Account))
		}
		return nil
	})
	if n > lostNamed {
		w.log.ErrorContext(ctx, "Redis has lost more records: extractq recover --dry-run names them all", slog.Int("count", n))
	}
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "lost records not looked for", slog.Any("error", err))
	}
}

// watchServer looks for lost records when the process starts, and after each restart or
// failover of Redis, once every record that was just being written then is there. A server
// that does not say which one it is is taken for the same.
func (w *Worker) watchServer(ctx context.Context, every time.Duration) {
	var seen string
	for look := time.Now(); wait.For(ctx, every) == nil; {
		asking, cancel := context.WithTimeout(ctx, saveTimeout)
		server, err := w.records.Server(asking)
		cancel()
		if err == nil && server != seen {
			if seen != "" {
				w.log.WarnContext(ctx, "Redis was restarted, or another server has taken its place: lost records are looked for")
				look = time.Now().Add(store.AcceptedFor)
			}
			seen = server
		}
		if !look.IsZero() && !time.Now().Before(look) && !w.cfg.Blobs.RedisLost() {
			look = time.Time{}
			w.nameLost(ctx)
		}
	}
}
