package backfill

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

const (
	// sayWaiting is how long callbacks may take before the user is told.
	sayWaiting = 3 * time.Second
	// countWithin bounds the last check of a run that is ending.
	countWithin = time.Second
)

// ownsQueue reports whether the Redis is this run's own. Then the run makes the deliveries; in
// a shared one the workers do, which have the secrets of all producers.
func (b *Backfill) ownsQueue() bool { return b.Redis.URL == "" }

func (b *Backfill) newPendingCallbacks() *pendingCallbacks {
	return &pendingCallbacks{
		records: b.Records, account: b.Account.Name, waiting: map[string]string{}, ended: b.delivered,
	}
}

// delivered names a callback that was given up. It deletes the extraction, which is needed no
// more, from a Redis in memory.
func (b *Backfill) delivered(ctx context.Context, r store.Record, name string) {
	if r.Deliveries.State == store.DeliveryFailed {
		answer := cmp.Or(r.Deliveries.Problem, "no answer")
		if r.Deliveries.Status != 0 {
			answer = fmt.Sprintf("the answer was %d", r.Deliveries.Status)
		}
		b.Say("%s: the callback of %s was given up: %s", render.Escape(name), r.ID, answer)
	}
	if b.deletesDone {
		// An error leaves one more in memory, which changes nothing.
		_, _ = b.Client.Delete(ctx, r.Account, r.ID)
	}
}

// drain waits for the callbacks that can be delivered now, and says what is left. err is the
// error of the run so far.
func (b *Backfill) drain(ctx context.Context, err error) error {
	if b.callbacks.Left() == 0 {
		return err
	}
	if b.ownsQueue() && errkind.Of(err) != errkind.Unavailable && !render.IsOutputError(err) && ctx.Err() == nil {
		slow := time.AfterFunc(sayWaiting, func() { b.Say("waiting for the callbacks; %d left", b.callbacks.Left()) })
		if drainErr := b.callbacks.Drain(ctx); err == nil {
			err = drainErr
		}
		slow.Stop()
	} else {
		counting, cancel := context.WithTimeout(context.WithoutCancel(ctx), countWithin)
		_, _ = b.callbacks.check(counting, b.callbacks.Left()) // What it does not find counts as left.
		cancel()
	}
	left := b.callbacks.Left()
	if left == 0 {
		return err
	}
	callbacks := fmt.Sprintf("%d callbacks are", left)
	if left == 1 {
		callbacks = "1 callback is"
	}
	switch {
	case !b.ownsQueue():
		hint := ""
		if delivers, err := queue.New(b.RDB).Delivers(); err == nil && !delivers {
			hint = ", and none is running"
		}
		b.Say("%s left to the workers of this Redis%s", callbacks, hint)
	case !b.queuePersists:
		b.Say("%s not delivered, and nothing keeps them: the queue ends with this run", callbacks)
	case b.Out != "":
		b.Say("%s not delivered yet; the same command again goes on with them", callbacks)
	default:
		b.Say("%s not delivered yet; extractq up goes on with them", callbacks)
	}
	return err
}
