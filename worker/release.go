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

// minWindow keeps something to do at hand where the rate is very low, and who waits
// is sent away for longer than a second.
const minWindow = 4

// window is how much of an account's work may be under way. What has its turn goes
// before everything that comes later, so it is little: what the rate lets through in a
// second, and no more than keeps all workers busy. Nor more than finds a place to wait
// in: a step that is sent away comes back on a whole second, and would find the places
// taken by those that were released after it.
func window(a Account, concurrency, workers int) store.Window {
	workers = max(1, workers)
	w := store.Window{Released: max(minWindow, 2*concurrency*workers), InFlight: a.MaxInFlight}
	if a.Rate > 0 {
		w.Because = extraction.BecauseRate
		_, submits := countPlaces(concurrency)
		w.Released = min(int(math.Ceil(min(a.Rate, math.MaxInt32))), submits*workers)
		if a.Rate <= 1 {
			w.Released = minWindow
		}
	}
	if w.InFlight <= 0 {
		w.InFlight = math.MaxInt32
	}
	return w
}
