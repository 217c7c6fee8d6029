package worker

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// producer is a producer in memory.
type producer struct {
	mu  sync.Mutex
	got []Delivery
	// answer is called with the count of calls so far, 1 for the first.
	answer func(n int) DeliveryOutcome
}

func (p *producer) Deliver(_ context.Context, d Delivery) (DeliveryOutcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, d)
	return p.answer(len(p.got)), nil
}

func (p *producer) deliveries() []Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Delivery(nil), p.got...)
}

func (r *rig) submitWithCallback() string {
	r.t.Helper()
	e, err := r.client.Submit(r.t.Context(), intake.Submission{
		Account: "acme", Provider: "fake", Type: "t", Name: "a.pdf", Document: strings.NewReader("x"),
		CallbackURL: "https://producer.test/hook", CallbackKey: "billing",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return e.ID
}

// delivered waits for a state of the deliveries.
func (r *rig) delivered(id string, want store.DeliveryState) store.Record {
	r.t.Helper()
	r.await(id+" to be "+string(want), func() bool { return r.get(id).Deliveries.State == want })
	return r.get(id)
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	p := &producer{answer: func(n int) DeliveryOutcome {
		switch n {
		case 1, 3:
			return DeliveryOutcome{State: store.DeliveryPending, Status: 503, Wait: time.Second}
		case 2: // It was no attempt.
			return DeliveryOutcome{State: store.DeliveryBusy, Wait: time.Second}
		}
		return DeliveryOutcome{State: store.DeliveryDelivered, Status: 200}
	}}
	r := newRig(t, newVendor())
	r.cfg.Deliverer = p
	id := r.submitWithCallback()
	r.start()
	got := r.delivered(id, store.DeliveryDelivered)
	if got.Deliveries.Attempts != 3 || got.Deliveries.Status != 200 {
		t.Errorf("delivered with %+v", got.Deliveries)
	}
	for i, d := range p.deliveries() {
		if d.URL != "https://producer.test/hook" || d.Key != "billing" || d.Attempt != []int{1, 2, 2, 3}[i] || !d.Since.Equal(got.FinishedAt) ||
			d.Extraction.ID != id || d.Extraction.Status != extraction.StatusSuccess || d.Extraction.Result == nil {
			t.Errorf("attempt %d is %+v", i+1, d)
		}
	}
}

// A producer that has gone for good is not asked again, until a user wants it.
func TestDeliveryFails(t *testing.T) {
	t.Parallel()
	p := &producer{answer: func(n int) DeliveryOutcome {
		if n == 1 {
			return DeliveryOutcome{State: store.DeliveryFailed, Status: 410}
		}
		return DeliveryOutcome{State: store.DeliveryDelivered, Status: 200}
	}}
	r := newRig(t, newVendor())
	r.cfg.Deliverer = p
	id := r.submitWithCallback()
	r.start()
	r.delivered(id, store.DeliveryFailed)
	if _, err := r.client.Redeliver(t.Context(), "acme", id); err != nil {
		t.Fatal(err)
	}
	r.delivered(id, store.DeliveryDelivered)
	if n := len(p.deliveries()); n != 2 {
		t.Errorf("%d deliveries, want 2", n)
	}
}

// A result that is damaged or gone is not delivered: the delivery fails, once, says why, and
// is not tried every two seconds until the retention is over. Once the result has been
// fetched again it is delivered for the asking.
func TestDeliveryWithoutResult(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(r *rig, rec store.Record) error{
		"gone": func(r *rig, rec store.Record) error {
			return r.blobs.DeleteResult(r.t.Context(), rec.ID, rec.ResultSeq)
		},
		"damaged": func(r *rig, rec store.Record) error { r.damage(rec); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &producer{answer: func(int) DeliveryOutcome { return DeliveryOutcome{State: store.DeliveryDelivered, Status: 200} }}
			v := newVendor()
			r := newRig(t, v)
			r.cfg.Deliverer = p
			w := r.worker()
			id := r.submitWithCallback()
			if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			rec := r.get(id)
			if err := lose(r, rec); err != nil {
				t.Fatal(err)
			}
			if _, err := w.deliver(t.Context(), queue.For(rec, rec.Deliveries.Number)); err != nil {
				t.Errorf("deliver = %v, which is tried again", err)
			}
			got := r.get(id)
			if got.Deliveries.State != store.DeliveryFailed || !strings.Contains(got.Deliveries.Problem, id) || len(p.deliveries()) != 0 {
				t.Errorf("deliveries %+v, and %d were made, want them failed without one", got.Deliveries, len(p.deliveries()))
			}
			r.refetch(id)
			if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			if got = r.get(id); !got.Settled() || got.Deliveries.State != store.DeliveryFailed {
				t.Errorf("after the result was fetched: %+v", got)
			}
			if _, err := r.client.Redeliver(t.Context(), "acme", id); err != nil {
				t.Fatal(err)
			}
			rec = r.get(id)
			if _, err := w.deliver(t.Context(), queue.For(rec, rec.Deliveries.Number)); err != nil {
				t.Fatal(err)
			}
			if all := p.deliveries(); len(all) != 1 || all[0].Extraction.Error != nil || len(all[0].Extraction.Result.Raw) == 0 || v.submits != 1 {
				t.Errorf("delivered %+v, want it once with its result, after one submission", all)
			}
		})
	}
}

// A result that no callback carries is not read for one.
func TestDeliveryOfLargeResult(t *testing.T) {
	t.Parallel()
	p := &producer{answer: func(int) DeliveryOutcome { return DeliveryOutcome{State: store.DeliveryDelivered, Status: 200} }}
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		out := done()
		out.Result = extraction.NewResult([]byte(`"` + strings.Repeat("x", deliveredResult) + `"`))
		return out, nil
	}
	r := newRig(t, v)
	r.cfg.Deliverer = p
	id := r.submitWithCallback()
	r.start()
	r.delivered(id, store.DeliveryDelivered)
	if all := p.deliveries(); len(all) != 1 || all[0].Extraction.Status != extraction.StatusSuccess || all[0].Extraction.Error != nil ||
		all[0].Extraction.Result != nil {
		t.Errorf("delivered %d times, want once and without the result", len(all))
	}
}

// What was canceled is told too, and a delivery whose task is lost is made.
func TestLostDelivery(t *testing.T) {
	t.Parallel()
	p := &producer{answer: func(int) DeliveryOutcome { return DeliveryOutcome{State: store.DeliveryDelivered, Status: 200} }}
	r := newRig(t, newVendor())
	r.cfg.Deliverer = p
	id := r.submitWithCallback()
	if _, err := r.client.Cancel(t.Context(), "acme", id); err != nil {
		t.Fatal(err)
	}
	inspector := asynq.NewInspectorFromRedisClient(r.rdb)
	if err := inspector.DeleteTask(queue.DeliverQueue, id+":d1"); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.delivered(id, store.DeliveryDelivered)
	got := p.deliveries()
	if len(got) != 1 || got[0].Extraction.Status != extraction.StatusCanceled || got[0].Attempt != 1 {
		t.Errorf("delivered %+v", got)
	}
	// A task that was already carried out does nothing.
	w := r.worker()
	if _, err := w.deliver(t.Context(), queue.Payload{ID: id, Account: "acme", Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if n := len(p.deliveries()); n != 1 {
		t.Errorf("%d deliveries, want 1", n)
	}
}

// The document of what is still being delivered goes at its time, and the delivery
// goes on; all of it goes when the retention is over.
func TestDeliveryAndRetention(t *testing.T) {
	t.Parallel()
	p := &producer{answer: func(int) DeliveryOutcome {
		return DeliveryOutcome{State: store.DeliveryPending, Status: 500, Wait: time.Hour}
	}}
	r := newRig(t, newVendor())
	r.cfg.Deliverer = p
	id := r.submitWithCallback()
	r.start()
	r.await("the first attempt", func() bool { return r.get(id).Deliveries.Attempts == 1 })
	has := func() bool {
		has, err := r.blobs.HasDocument(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return has
	}
	if !has() {
		t.Fatal("the document is gone too early")
	}
	r.hset(id, "dexp", ago(time.Second))
	r.overdue(id)
	r.await("the document to go", func() bool { return !has() })
	if got := r.get(id); got.Deliveries.State != store.DeliveryPending || got.Step != extraction.StepDeliver {
		t.Errorf("now %+v", got.Deliveries)
	}
	r.hset(id, "exp", ago(time.Second))
	r.await("all of it to go", func() bool {
		r.overdue(id) // Again and again: the look before may not have ended yet.
		_, err := r.records.Get(t.Context(), "acme", id)
		return err != nil
	})
}
