package worker

import (
	"context"
	"log/slog"
	"math"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// roomMade says that something has given up its place, so that others may have their
// turn. It never waits.
func (a *account) roomMade() {
	select {
	case a.room <- struct{}{}:
	default: // It has been said already.
	}
}

// keepReleasing gives the waiting extractions of an account their turn whenever there
// may be room, until ctx ends. What it misses, reconcile does.
func (w *Worker) keepReleasing(ctx context.Context, account string, room <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-room:
		}
		if err := w.queue.Release(ctx, w.records, account); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "turns not given", slog.String("account", account), slog.Any("error", err))
		}
	}
}

// minWindow keeps something to do at hand where the rate is very low.
const minWindow = 4

// window is how much of an account's work may be under way. What has its turn goes
// before everything that comes later, so it is little: what the rate lets through in a
// second, and no more than keeps all workers busy.
func window(a Account, concurrency, workers int) store.Window {
	w := store.Window{Released: 2 * concurrency * max(1, workers), InFlight: a.MaxInFlight}
	if a.Rate > 0 {
		w.Because = extraction.BecauseRate
		w.Released = min(w.Released, int(math.Ceil(min(a.Rate, math.MaxInt32))))
	}
	w.Released = max(w.Released, minWindow)
	if w.InFlight <= 0 {
		w.InFlight = math.MaxInt32
	}
	return w
}
