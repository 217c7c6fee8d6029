package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

const (
	// askers is how many extractions are asked for at once.
	askers = 8
	// remoteSweep is how often some watched extractions are looked at nevertheless,
	// and sweepPage how many: the stream of events is bounded, and who is slow misses
	// some.
	remoteSweep = 5 * time.Second
	sweepPage   = 50
)

// remoteWatcher waits by the server's stream of events.
type remoteWatcher struct {
	r       *remote
	account string // The only one; empty for all.
	// waiting are the ids in the order in which they are looked at next.
	waiting []string
	// known are those that are in waiting, and asked those of them that a request
	// asks for or is going to.
	known, asked map[string]bool
	todo         []string

	mu sync.Mutex
	// places are the accounts of those that are known.
	places map[string]string
}

func (r *remote) follow(_ context.Context, accounts []string) (watcher, error) {
	w := &remoteWatcher{r: r, known: map[string]bool{}, asked: map[string]bool{}, places: map[string]string{}}
	if len(accounts) == 1 {
		w.account = accounts[0]
	}
	return w, nil
}

// Watch adds an extraction that exists.
func (w *remoteWatcher) Watch(account, id string) {
	if !w.known[id] {
		w.known[id] = true
		w.waiting = append(w.waiting, id)
		w.mu.Lock()
		w.places[id] = account
		w.mu.Unlock()
	}
}

// Accounts are those of what is waited for.
func (w *remoteWatcher) Accounts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Sorted(maps.Values(w.places)))
}

// Waiting are the ids that are not final yet.
func (w *remoteWatcher) Waiting() []string {
	w.waiting = slices.DeleteFunc(w.waiting, func(id string) bool { return !w.known[id] })
	return slices.Clone(w.waiting)
}

// look puts an id on the list of those to ask for.
func (w *remoteWatcher) look(id string) {
	if w.known[id] && !w.asked[id] {
		w.asked[id] = true
		w.todo = append(w.todo, id)
	}
}

// sweep looks at those that were not looked at for the longest time.
func (w *remoteWatcher) sweep() {
	all := w.Waiting()
	some := all[:min(sweepPage, len(all))]
	for _, id := range some {
		w.look(id)
	}
	w.waiting = append(all[len(some):], some...)
}

// answer is what asking for an extraction came to.
type answer struct {
	e    extraction.Extraction
	gone bool
	err  error
}

// Run asks for all extractions once the stream of events is open, and then for those
// of which it tells.
func (w *remoteWatcher) Run(ctx context.Context, stop func() bool, final func(extraction.Extraction, bool) error) (err error) {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	ask, answers := make(chan string), make(chan answer)
	for range askers {
		running.Go(func() { w.asker(ctx, ask, answers) })
	}
	listening, events, broken := make(chan struct{}), make(chan string), make(chan error, 1)
	running.Go(func() { broken <- w.listen(ctx, listening, events) })
	ticker := time.NewTicker(remoteSweep)
	defer ticker.Stop()
	for !stop() {
		next, to := "", chan string(nil)
		if len(w.todo) > 0 {
			next, to = w.todo[0], ask
		}
		select {
		case to <- next:
			w.todo = w.todo[1:]
		case a := <-answers:
			if a.err != nil {
				return a.err
			}
			delete(w.asked, a.e.ID)
			if w.known[a.e.ID] && (a.gone || a.e.Settled()) {
				delete(w.known, a.e.ID)
				w.mu.Lock()
				delete(w.places, a.e.ID)
				w.mu.Unlock()
				if err := final(a.e, a.gone); err != nil {
					return err
				}
			}
		case <-listening:
			listening = nil
			for _, id := range w.Waiting() {
				w.look(id)
			}
		case id := <-events:
			if id == "" { // Any of them may be final, and was not told of.
				clear(w.asked)
				w.todo = nil
				for _, id := range w.Waiting() {
					w.look(id)
				}
				continue
			}
			// One that is being asked for may be answered as it was before.
			delete(w.asked, id)
			w.look(id)
		case <-ticker.C:
			w.sweep()
		case err := <-broken:
			return err
		case <-outer.Done():
			return context.Cause(outer)
		}
	}
	return nil
}

// listen passes on the ids of what becomes final, and an empty one where some were missed.
func (w *remoteWatcher) listen(ctx context.Context, listening chan<- struct{}, events chan<- string) error {
	for e, err := range w.r.Events(ctx, client.EventFilter{Account: w.account, Listening: func() { close(listening) }}) {
		if err != nil {
			return w.r.explain(ctx, err)
		}
		if e.Missed == "" && !e.Extraction.Status.Final() {
			continue
		}
		select {
		case events <- e.Extraction.ID:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return context.Cause(ctx)
}

// asker asks for extractions, one at a time.
func (w *remoteWatcher) asker(ctx context.Context, ask <-chan string, answers chan<- answer) {
	for {
		var a answer
		select {
		case id := <-ask:
			a.e, a.err = w.r.Get(ctx, id)
			a.err = w.r.explain(ctx, a.err)
			if errors.Is(a.err, store.ErrNotFound) {
				a = answer{gone: true}
			}
			a.e.ID = id
		case <-ctx.Done():
			return
		}
		select {
		case answers <- a:
		case <-ctx.Done():
			return
		}
	}
}
