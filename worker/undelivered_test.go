package worker

import (
	"testing"
	"time"

	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// A delivery that a dead worker has taken from the queue is made by another in the time that
// a step takes, whether it was begun or not.
func TestDeliveryOfADeadWorker(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"begun": true, "taken only": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &producer{answer: func(int) DeliveryOutcome { return DeliveryOutcome{State: store.DeliveryDelivered, Status: 200} }}
			r := newRig(t, newVendor())
			r.cfg.Deliverer = p
			rec := r.undelivered()
			r.taken(queue.DeliverQueue, rec.ID+":d1")
			if begun {
				if err := r.records.Deliver(t.Context(), rec.Input, 1, r.cfg.Lease); err != nil {
					t.Fatal(err)
				}
			}
			r.start()
			if got := r.delivered(rec.ID, store.DeliveryDelivered); got.Deliveries.Number != 2 || len(p.deliveries()) != 1 {
				t.Errorf("delivery %d is the one that was made, of %d", got.Deliveries.Number, len(p.deliveries()))
			}
		})
	}
}

// A delivery that takes longer than a lease is made once.
func TestSlowDelivery(t *testing.T) {
	t.Parallel()
	p := &producer{answer: func(int) DeliveryOutcome {
		time.Sleep(9 * time.Second)
		return DeliveryOutcome{State: store.DeliveryDelivered, Status: 200}
	}}
	r := newRig(t, newVendor())
	r.cfg.Deliverer, r.cfg.Lease = p, 3*time.Second
	id := r.submitWithCallback()
	r.start()
	if got := r.delivered(id, store.DeliveryDelivered); got.Deliveries.Number != 1 || len(p.deliveries()) != 1 {
		t.Errorf("%d deliveries were made, the last as number %d", len(p.deliveries()), got.Deliveries.Number)
	}
}

// undelivered is an extraction that has ended, whose delivery waits in the queue.
func (r *rig) undelivered() store.Record {
	r.t.Helper()
	w, id := r.worker(), r.submitWithCallback()
	for _, step := range []func() error{
		func() error { _, err := w.submit(r.t.Context(), r.payload(id)); return err },
		func() error { _, err := w.poll(r.t.Context(), r.payload(id)); return err },
	} {
		if err := step(); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.get(id)
}

// taken leaves a task as a process leaves it that takes it from its queue and dies.
func (r *rig) taken(name, task string) {
	r.t.Helper()
	key := "asynq:{" + name + "}:"
	if got, err := r.rdb.LMove(r.t.Context(), key+"pending", key+"active", "RIGHT", "LEFT").Result(); err != nil || got != task {
		r.t.Fatalf("%q was taken, want %s: %v", got, task, err)
	}
	if err := r.rdb.HSet(r.t.Context(), key+"t:"+task, "state", "active").Err(); err != nil {
		r.t.Fatal(err)
	}
	if got, err := queue.New(r.rdb).DeliveryPresence(task[:len(task)-len(":d1")], 1); err != nil || got != queue.Running {
		r.t.Fatalf("the task is %v, want it active: %v", got, err)
	}
}
