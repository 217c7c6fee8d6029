package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/store"
)

// expire erases what has outlived its retention. The blobs go first: a record
// without blobs is found again, blobs without a record only by the sweep.
func (w *Worker) expire(ctx context.Context, f store.Fence, now time.Time) error {
	r, err := w.records.Get(ctx, f.Input.Account, f.Input.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		f.Input = r.Input
		if left := r.ExpiresAt.Sub(now); left > 0 {
			if err := w.cfg.Blobs.DeleteDocument(ctx, r.ID); err != nil {
				return err
			}
			return nothingToDo(w.records.Touch(ctx, f, left, false))
		}
	}
	if err := w.cfg.Blobs.Delete(ctx, f.Input.ID); err != nil {
		return err
	}
	return nothingToDo(w.records.Erase(ctx, f.Input, false, w.cfg.kept()))
}

// expireTask deletes what a crash left in the document store and no record names.
func (w *Worker) expireTask(ctx context.Context, _ *asynq.Task) error {
	deleted, err := store.Sweep(ctx, w.records, w.cfg.Blobs, time.Now())
	if deleted > 0 {
		w.log.InfoContext(ctx, "unreferenced blobs deleted", slog.Int("count", deleted))
	}
	switch {
	case errors.Is(err, store.ErrNotOurs):
		w.log.WarnContext(ctx, "document store not swept", slog.Any("error", err))
	case err != nil && ctx.Err() == nil:
		w.log.ErrorContext(ctx, "document store fails", slog.Any("error", err))
	}
	return nil // The next one tries again.
}
