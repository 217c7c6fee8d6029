package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/extractq/extractq/store"
)

// expire erases what has outlived its retention. The blobs go first: a record
// without blobs is found again, blobs without a record only every hour.
func (w *Worker) expire(ctx context.Context, in store.Input) error {
	if err := w.cfg.Blobs.Delete(ctx, in.ID); err != nil {
		return storeError{err}
	}
	return nothingToDo(w.records.Erase(ctx, in, false, w.cfg.kept()))
}

// expireDocument deletes the document of a final extraction if its time is over,
// and returns how long the next look may wait; nothing where all of it is to go.
func (w *Worker) expireDocument(ctx context.Context, r store.Record, now time.Time) (time.Duration, error) {
	left := r.ExpiresAt.Sub(now)
	if left <= 0 {
		return 0, nil
	}
	if document := r.DocumentExpiresAt.Sub(now); document > 0 {
		return document, nil
	}
	if err := w.cfg.Blobs.DeleteDocument(ctx, r.ID); err != nil {
		return left, storeError{err}
	}
	return left, nil
}

// expireUnreferenced deletes what a crash left in the document store and no record
// names, and what is left of extractions that have been erased, of all accounts there are.
func (w *Worker) expireUnreferenced(ctx context.Context) {
	swept, err := store.DeleteUnreferenced(ctx, w.records, w.cfg.Blobs, store.UnreferencedAfter, w.cfg.Retention)
	if swept.Deleted > 0 {
		w.log.InfoContext(ctx, "unreferenced blobs deleted", slog.Int("count", swept.Deleted))
	}
	if swept.Lost > 0 {
		w.nameLost(ctx)
	}
	switch {
	case errors.Is(err, store.ErrNotOurs):
		w.log.WarnContext(ctx, "document store not swept", slog.Any("error", err))
	case err != nil && ctx.Err() == nil:
		w.log.ErrorContext(ctx, "document store fails", slog.Any("error", err))
	}
	w.expireTraces(ctx)
}

// expireTraces looks for what is left of extractions that have been erased: their events,
// tombstones whose time is over, and the counts of batches that an earlier version emptied.
func (w *Worker) expireTraces(ctx context.Context) {
	names, err := w.records.Accounts(ctx)
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "traces of erased extractions not looked for", slog.Any("error", err))
	}
	for _, name := range names {
		err := w.records.ForgetEvents(ctx, name)
		if err == nil {
			err = w.records.ForgetTombs(ctx, name)
		}
		if err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "events not forgotten", slog.String("account", name), slog.Any("error", err))
		}
		if err := w.records.FindEmptied(ctx, name, w.cfg.kept().Record); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "batches not forgotten", slog.String("account", name), slog.Any("error", err))
		}
	}
}
