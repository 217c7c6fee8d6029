package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/extractq/extractq/store"
)

const (
	// outboxEvery is how often a run looks at some of its callbacks.
	outboxEvery = time.Second
	// drainEvery is how often it looks at all of them, once nothing else is left.
	drainEvery = 250 * time.Millisecond
	// drainWithin is how long it waits for them then: a first attempt of 15 s, and
	// the second one, 5 s later.
	drainWithin = 30 * time.Second
	// outboxPage is how many records are read at once.
	outboxPage = 200
)

// outbox are the callbacks of a run that are still to be delivered.
type outbox struct {
	records *store.Records
	account string
	// through is told once of each that is delivered or given up. It may block, and
	// is called by one goroutine at a time.
	through func(ctx context.Context, r store.Record, name string)

	mu      sync.Mutex
	waiting map[string]string // Document names by id.
}

// Add takes in a final extraction whose callback is to be delivered. It reports
// whether there is one.
func (o *outbox) Add(r store.Record, name string) bool {
	if r.Deliveries.State != store.DeliveryPending {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[r.ID] = name
	return true
}

// Left is how many are still to be delivered.
func (o *outbox) Left() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting)
}

// Run looks until ctx ends, at a few each time: a producer that is away must not
// make much work.
func (o *outbox) Run(ctx context.Context) {
	ticker := time.NewTicker(outboxEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for {
			// The order of a map is another one each time: none is overlooked for long.
			before := o.Left()
			_, err := o.look(ctx, outboxPage)
			if err != nil || o.Left() == before { // Redis is away, or nothing is to be seen.
				break
			}
		}
	}
}

// Drain waits until all are delivered, or the next attempts are too far away to be
// waited for. It returns an error only when ctx ends.
func (o *outbox) Drain(ctx context.Context) error {
	end := time.Now().Add(drainWithin)
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		due, err := o.look(ctx, o.Left())
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case o.Left() == 0, time.Now().After(end), err == nil && due.After(end):
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// look reads the records of up to most, and takes those out that are through, or
// erased. due is when the first of the others is attempted next.
func (o *outbox) look(ctx context.Context, most int) (due time.Time, err error) {
	o.mu.Lock()
	ids := slices.Collect(maps.Keys(o.waiting))
	o.mu.Unlock()
	for page := range slices.Chunk(ids[:min(most, len(ids))], outboxPage) {
		found, err := o.records.GetAll(ctx, []string{o.account}, page...)
		if err != nil {
			return due, err
		}
		byID := map[string]store.Record{}
		for _, r := range found {
			byID[r.ID] = r
		}
		for _, id := range page {
			r, exists := byID[id]
			if exists && r.Deliveries.State == store.DeliveryPending {
				if due.IsZero() || r.Due.Before(due) {
					due = r.Due
				}
				continue
			}
			o.mu.Lock()
			name := o.waiting[id]
			delete(o.waiting, id)
			o.mu.Unlock()
			if exists {
				o.through(ctx, r, name)
			}
		}
	}
	return due, nil
}
