package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// Deliverer tells a producer of the end of an extraction.
type Deliverer interface {
	// Deliver makes one attempt. After an error its outcome is unknown, and
	// it is made again soon.
	Deliver(ctx context.Context, d Delivery) (DeliveryOutcome, error)
}

// Delivery is one attempt to tell a producer.
type Delivery struct {
	// URL is where it goes, Key the name of the API key whose secret signs it.
	URL, Key string
	// Attempt is 1 for the first, which was due at Since.
	Attempt int
	Since   time.Time
	// Extraction is the final one, with its result; nil for one above deliveredResult.
	Extraction extraction.Extraction
}

// DeliveryOutcome is what an attempt came to.
type DeliveryOutcome struct {
	// State is pending where another attempt is to follow after Wait, and busy where
	// this one was none.
	State store.DeliveryState
	Wait  time.Duration
	// Status is the HTTP status of the answer; 0 where there was none.
	Status int
	// Problem says why it was not delivered; it holds nothing of the URL.
	Problem string
}

// deliverySlots is how many deliveries a process makes at once. They mostly wait, and a
// customer gets a small part of them, so that slow hosts leave slots to the others.
const deliverySlots = 64

// deliveredResult is from which size on a Deliverer gets no result, in bytes: more than a
// callback carries.
const deliveredResult = 1 << 20

// deliver makes one delivery. That it is made twice when the process dies behind
// the producer's answer cannot be helped: the event's id is the same then.
func (w *Worker) deliver(ctx context.Context, p queue.Payload) (*queue.Outcome, error) {
	r, err := w.records.Get(ctx, p.Account, p.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d := r.Deliveries
	if d.State != store.DeliveryPending || d.Number != p.Seq || r.Step != extraction.StepDeliver {
		return nil, nil // While its result is fetched again it waits.
	}
	began := time.Now()
	under := func(ctx context.Context) error { return w.records.Deliver(ctx, r.Input, d.Number, w.cfg.Lease) }
	if err := under(ctx); err != nil {
		return nil, nothingToDo(err)
	}
	// A producer that is being told is told to the end, whatever becomes of the lease.
	held := keep(ctx, under, w.cfg.Lease, began)
	got, err := w.tell(ctx, r)
	held.stop()
	trouble, storeFails := errors.AsType[storeError](err)
	if storeFails { // This does not count as an attempt, and is logged once for all.
		got = DeliveryOutcome{State: store.DeliveryBusy, Problem: storeWords(trouble)}
		got.Wait, _, err = w.storeTrouble(ctx, r.Account, r.ID, trouble)
	}
	if err != nil {
		return nil, err // asynq tries again.
	}
	if !storeFails {
		w.log.InfoContext(ctx, "delivery attempted", slog.String("extraction_id", r.ID), slog.String("account", r.Account),
			slog.Int("attempt", d.Attempts+1), slog.String("outcome", string(got.State)), slog.Int("status", got.Status),
			slog.String("problem", got.Problem), slog.Duration("duration", time.Since(began)))
		w.countDelivery(got.State)
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	next, err := w.records.Delivered(saving, r.Input, store.NewToken(), d.Number, got.State, got.Status, got.Wait, got.Problem)
	if err != nil {
		return nil, nothingToDo(err)
	}
	if got.State == store.DeliveryPending || got.State == store.DeliveryBusy {
		return nil, w.queue.Deliver(saving, r, next)
	}
	return &queue.Outcome{Status: r.Status, Polls: r.Polls}, nil
}

// tell makes one attempt. Without the result there is nothing to tell: one that the
// document store has lost does not come back.
func (w *Worker) tell(ctx context.Context, r store.Record) (DeliveryOutcome, error) {
	e, err := w.cfg.Blobs.WholeUpTo(ctx, r, deliveredResult)
	if err != nil {
		return DeliveryOutcome{}, storeError{err}
	}
	if e.Error != nil && e.Error.Code == extraction.CodeResultUnavailable {
		w.log.ErrorContext(ctx, "result is not readable", slog.String("extraction_id", r.ID), slog.String("account", r.Account))
		return DeliveryOutcome{State: store.DeliveryFailed, Problem: e.Error.Message}, nil
	}
	return w.cfg.Deliverer.Deliver(ctx, Delivery{
		URL: r.CallbackURL, Key: r.CallbackKey, Attempt: r.Deliveries.Attempts + 1, Since: r.Deliveries.Since, Extraction: e,
	})
}

// countDelivery tells what an attempt came to. Where the producer was busy with others it was
// none.
func (w *Worker) countDelivery(s store.DeliveryState) {
	outcome := map[store.DeliveryState]string{
		store.DeliveryDelivered: "delivered", store.DeliveryPending: "retry", store.DeliveryFailed: "failed",
	}[s]
	if outcome != "" && w.cfg.Delivered != nil {
		w.cfg.Delivered(outcome)
	}
}

// mendDelivery acts on an overdue delivery. One that is under way is not overdue while its
// worker lives; once it is, its task, which asynq shows as active, is a dead worker's.
func (w *Worker) mendDelivery(ctx context.Context, g store.Glance, r store.Record, got *reconciled) error {
	f := store.Fence{Input: r.Input, Seq: g.Seq}
	presence, err := w.queue.DeliveryPresence(r.ID, r.Deliveries.Number)
	if err != nil {
		return err
	}
	if presence == queue.Asleep { // The clocks of two machines differ.
		presence = queue.Absent
	}
	if lost, err := w.lost(ctx, f, g, presence, orphanAfter, got); !lost {
		return err
	}
	next, err := w.records.Redeliver(ctx, r.Input, store.NewToken(), r.Deliveries.Number, false)
	if err != nil {
		return nothingToDo(err)
	}
	return w.queue.Deliver(ctx, r, next)
}
