package app

import (
	"context"
	"fmt"
	"time"

	"github.com/extractq/extractq/callback"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/worker"
)

// senderConfig says how callbacks are signed and which hosts they may reach.
func senderConfig(cfg Process) callback.Config {
	c := callback.Config{
		Secret: cfg.Callbacks.Secret.Reveal(), PreviousSecret: cfg.Callbacks.PreviousSecret.Reveal(),
		Keys: map[string]callback.KeySecret{}, AllowHosts: cfg.Callbacks.AllowHosts, PublicURL: cfg.API.PublicURL, UserAgent: cfg.UserAgent(),
	}
	for _, k := range cfg.API.Keys {
		c.Keys[k.Name] = callback.KeySecret{Secret: k.CallbackSecret.Reveal(), Previous: k.PreviousCallbackSecret.Reveal()}
	}
	return c
}

// NewSender returns what sends callbacks.
func NewSender(cfg Process) (*callback.Sender, error) {
	s, err := callback.New(senderConfig(cfg))
	if err != nil {
		return nil, errkind.New(errkind.Usage, fmt.Errorf("callbacks: %w", err))
	}
	return s, nil
}

// Deliverer makes the worker's deliveries by callback.
type Deliverer struct{ *callback.Sender }

// Deliver makes one attempt, and plans the next one unless it was the last.
func (d Deliverer) Deliver(ctx context.Context, w worker.Delivery) (worker.DeliveryOutcome, error) {
	r, err := d.Send(ctx, callback.Delivery{URL: w.URL, EventID: w.Extraction.ID, Key: w.Key, Extraction: &w.Extraction})
	if err != nil {
		return worker.DeliveryOutcome{}, err
	}
	out := worker.DeliveryOutcome{State: store.DeliveryFailed, Status: r.Status, Problem: r.Problem}
	switch r.Outcome {
	case callback.OutcomeDelivered:
		out.State = store.DeliveryDelivered
	case callback.OutcomeBusy:
		out.State, out.Wait = store.DeliveryBusy, r.RetryAfter
	case callback.OutcomeRetry:
		if wait, ok := callback.Next(w.Attempt, time.Since(w.Since), r.RetryAfter); ok {
			out.State, out.Wait = store.DeliveryPending, wait
		}
	case callback.OutcomeGone, callback.OutcomeInvalid:
	}
	return out, nil
}
