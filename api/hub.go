package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/extractq/extractq/store"
)

// hub notifies waiting requests of changed extractions. It reads the accounts' streams once
// for all of them, so any number of waits costs Redis the same.
type hub struct {
	records  *store.Records
	accounts func(context.Context) ([]string, error)
	log      *slog.Logger

	mu    sync.Mutex
	byID  map[string]map[chan struct{}]bool
	all   map[chan struct{}]bool
	after map[string]string // The cursor, by account.
	done  chan struct{}
}

// hubInterval is how often the streams are read.
const hubInterval = 100 * time.Millisecond

// eventPage is how many events are read at once.
const eventPage = 1000

func newHub(ctx context.Context, records *store.Records, accounts func(context.Context) ([]string, error), log *slog.Logger) *hub {
	h := &hub{
		records: records, accounts: accounts, log: log, done: make(chan struct{}),
		byID: map[string]map[chan struct{}]bool{}, all: map[chan struct{}]bool{}, after: map[string]string{},
	}
	go h.run(ctx)
	return h
}

func (h *hub) wait() { <-h.done }

// run reads until ctx ends.
func (h *hub) run(ctx context.Context) {
	defer close(h.done)
	ticker := time.NewTicker(hubInterval)
	defer ticker.Stop()
	failing := false
	for {
		err := h.runOnce(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			h.log.WarnContext(ctx, "events cannot be read", slog.Any("error", err))
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// runOnce reads new events and wakes their waiters. Without waiters it reads nothing.
func (h *hub) runOnce(ctx context.Context) error {
	h.mu.Lock()
	idle := len(h.byID)+len(h.all) == 0
	if idle {
		clear(h.after)
	}
	h.mu.Unlock()
	if idle {
		return nil
	}
	accounts, err := h.accounts(ctx)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		after, known := h.after[account]
		if !known {
			// A waiter has looked at the records, or will look, after this.
			if h.after[account], err = h.records.EventCursor(ctx, account); err != nil {
				return err
			}
			h.wake(nil)
			continue
		}
		for {
			events, err := h.records.Events(ctx, account, after, eventPage)
			if err != nil {
				return err
			}
			if len(events) > 0 {
				after = events[len(events)-1].Cursor
				h.after[account] = after
				h.wake(events)
			}
			if len(events) < eventPage {
				break
			}
		}
	}
	return nil
}

// wake wakes the waiters for the extractions of some events; without events, all.
func (h *hub) wake(events []store.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.all {
		nudge(ch)
	}
	if events == nil {
		for _, waiting := range h.byID {
			for ch := range waiting {
				nudge(ch)
			}
		}
	}
	for _, e := range events {
		for ch := range h.byID[e.ID] {
			nudge(ch)
		}
	}
}

// nudge wakes a waiter; one that is awake needs nothing more.
func nudge(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// watch returns a channel that receives after an extraction has changed, or any extraction
// if id is empty, until the returned function is called. Look at the record after calling
// watch, and after each receive.
func (h *hub) watch(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if id == "" {
		h.all[ch] = true
		return ch, func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.all, ch)
		}
	}
	if h.byID[id] == nil {
		h.byID[id] = map[chan struct{}]bool{}
	}
	h.byID[id][ch] = true
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.byID[id], ch)
		if len(h.byID[id]) == 0 {
			delete(h.byID, id)
		}
	}
}
