package backfill

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/extractq/extractq/store"
)

const (
	// checkEvery is how often a run checks some of its callbacks.
	checkEvery = time.Second
	// drainEvery is how often it checks all of them, once nothing else is left.
	drainEvery = 250 * time.Millisecond
	// drainWithin is how long it waits for them then: a first attempt of 15 s, and
	// the second one, 5 s later.
	drainWithin = 30 * time.Second
	// checkPage is how many records are read at once.
	checkPage = 200
)

// pendingCallbacks are the callbacks of a run that are still to be delivered.
type pendingCallbacks struct {
	records *store.Records
	account string
	// ended is called once for each that is delivered or given up. It may block, and is
	// called by one goroutine at a time.
	ended func(ctx context.Context, r store.Record, name string)

	mu      sync.Mutex
	waiting map[string]string // Document names by id.
}

// Add adds a final extraction if its callback is still to be delivered, and reports whether it
// is.
func (p *pendingCallbacks) Add(r store.Record, name string) bool {
	if r.Deliveries.State != store.DeliveryPending {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[r.ID] = name
	return true
}

// Left is how many are still to be delivered.
func (p *pendingCallbacks) Left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// Run checks until ctx ends, a few each time: a producer that is away must not make much
// work.
func (p *pendingCallbacks) Run(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for {
			// The order of a map differs each time: none is left out for long.
			before := p.Left()
			_, err := p.check(ctx, checkPage)
			if err != nil || p.Left() == before { // Redis is away, or nothing has ended.
				break
			}
		}
	}
}

// Drain waits until all are delivered, or the next attempts are too far away. It returns an
// error only when ctx ends.
func (p *pendingCallbacks) Drain(ctx context.Context) error {
	end := time.Now().Add(drainWithin)
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		due, err := p.check(ctx, p.Left())
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case p.Left() == 0, time.Now().After(end), err == nil && due.After(end):
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// check reads the records of up to most, and removes those that have ended or were erased. due
// is when the first of the others is attempted next.
func (p *pendingCallbacks) check(ctx context.Context, most int) (due time.Time, err error) {
	p.mu.Lock()
	ids := slices.Collect(maps.Keys(p.waiting))
	p.mu.Unlock()
	for page := range slices.Chunk(ids[:min(most, len(ids))], checkPage) {
		found, err := p.records.GetAll(ctx, []string{p.account}, page...)
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
			p.mu.Lock()
			name := p.waiting[id]
			delete(p.waiting, id)
			p.mu.Unlock()
			if exists {
				p.ended(ctx, r, name)
			}
		}
	}
	return due, nil
}
