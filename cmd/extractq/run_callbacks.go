package main

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
	// countWithin bounds the last look at them of a run that is to end.
	countWithin = time.Second
)

// ownsQueue reports whether only this run's user works on its Redis. Then the
// run makes the deliveries; on a shared one they are the workers', who have the
// secrets of all producers.
func (b *backfill) ownsQueue() bool { return b.Redis.URL == "" }

// newOutbox is the outbox of a run, whose services are open.
func (b *backfill) newOutbox() *outbox {
	return &outbox{
		records: b.Records, account: b.account.Name, waiting: map[string]string{}, through: b.delivered,
	}
}

// delivered names a callback that was given up. It takes the extraction, which is
// needed no more, out of a Redis in memory.
func (b *backfill) delivered(ctx context.Context, r store.Record, name string) {
	if r.Deliveries.State == store.DeliveryFailed {
		answer := cmp.Or(r.Deliveries.Problem, "no answer")
		if r.Deliveries.Status != 0 {
			answer = fmt.Sprintf("the answer was %d", r.Deliveries.Status)
		}
		b.Say("%s: the callback of %s was given up: %s", render.Escape(name), r.ID, answer)
	}
	if b.forgets {
		// What cannot be taken out now is as good as any other of its kind.
		_, _ = b.Client.Delete(ctx, r.Account, r.ID)
	}
}

// drain delivers what can be delivered now, and says what is left. err is how the
// run ended otherwise.
func (b *backfill) drain(ctx context.Context, err error) error {
	if b.outbox.Left() == 0 {
		return err
	}
	if b.ownsQueue() && errkind.Of(err) != errkind.Unavailable && !render.IsOutputError(err) && ctx.Err() == nil {
		slow := time.AfterFunc(sayWaiting, func() { b.Say("waiting for the callbacks; %d left", b.outbox.Left()) })
		if drainErr := b.outbox.Drain(ctx); err == nil {
			err = drainErr
		}
		slow.Stop()
	} else {
		counting, cancel := context.WithTimeout(context.WithoutCancel(ctx), countWithin)
		_, _ = b.outbox.look(counting, b.outbox.Left()) // What it does not find counts as left.
		cancel()
	}
	left := b.outbox.Left()
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
	case !b.keeps:
		b.Say("%s not delivered, and nothing keeps them: the queue ends with this run", callbacks)
	case b.out != "":
		b.Say("%s not delivered yet; the same command again goes on with them", callbacks)
	default:
		b.Say("%s not delivered yet; extractq up goes on with them", callbacks)
	}
	return err
}
