package main

import (
	"context"
	"fmt"
	"time"

	"github.com/extractq/extractq/callback"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/worker"
)

// senderConfig is how callbacks are signed and what they may reach.
func senderConfig(cfg settings) callback.Config {
	c := callback.Config{
		Secret: cfg.Callbacks.Secret.Reveal(), PreviousSecret: cfg.Callbacks.PreviousSecret.Reveal(),
		Keys: map[string]callback.KeySecret{}, AllowHosts: cfg.Callbacks.AllowHosts, PublicURL: cfg.API.PublicURL, UserAgent: userAgent(),
	}
	for _, k := range cfg.API.Keys {
		c.Keys[k.Name] = callback.KeySecret{Secret: k.CallbackSecret.Reveal(), Previous: k.PreviousCallbackSecret.Reveal()}
	}
	return c
}

func newSender(cfg settings) (*callback.Sender, error) {
	s, err := callback.New(senderConfig(cfg))
	if err != nil {
		return nil, errkind.New(errkind.Usage, fmt.Errorf("callbacks: %w", err))
	}
	return s, nil
}

// warnUnsigned says how callbacks become signed, where this configuration signs
// none. That of the workers decides, and it may be another one.
func warnUnsigned(cfg settings, url string) {
	if url != "" && cfg.server == nil && cfg.Callbacks.Secret.IsZero() {
		cfg.Say("callbacks.secret is not set: without it at the workers, nobody can tell that a callback is genuine; " +
			"set it to what echo whsec_$(openssl rand -base64 32) prints")
	}
}

// deliverer makes the worker's deliveries by callback.
type deliverer struct{ *callback.Sender }

// Deliver makes one attempt, and plans the next where it was not the last.
func (d deliverer) Deliver(ctx context.Context, w worker.Delivery) (worker.DeliveryOutcome, error) {
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
