package backend

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
	// recheckEvery is how often some watched extractions are asked for too, and
	// recheckPage how many: the stream of events is bounded, and a slow reader misses some.
	recheckEvery = 5 * time.Second
	recheckPage  = 50
)

// httpWatcher waits by the server's stream of events.
type httpWatcher struct {
	*overHTTP

	account string // The only one; empty for all.
	// waiting are the ids, the one to ask for next first. Some are not known any more.
	waiting []string
	// asked are the ids that are in todo or that a request is asking for.
	asked map[string]bool
	todo  []string

	mu sync.Mutex // Accounts is called by another goroutine.
	// known are the accounts of what is waited for, by id.
	known map[string]string
}

func (h *overHTTP) Follow(_ context.Context, accounts []string) (Watcher, error) {
	w := &httpWatcher{overHTTP: h, asked: map[string]bool{}, known: map[string]string{}}
	if len(accounts) == 1 {
		w.account = accounts[0]
	}
	return w, nil
}

// Watch adds an extraction that exists.
func (w *httpWatcher) Watch(account, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known[id] == "" {
		w.known[id] = account
		w.waiting = append(w.waiting, id)
	}
}

// Accounts are the accounts of the extractions that are not final yet.
func (w *httpWatcher) Accounts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Sorted(maps.Values(w.known)))
}

// Waiting are the ids that are not final yet.
func (w *httpWatcher) Waiting() []string {
	w.waiting = slices.DeleteFunc(w.waiting, func(id string) bool { return w.known[id] == "" })
	return slices.Clone(w.waiting)
}

// forget takes an id out, and reports whether it was waited for.
func (w *httpWatcher) forget(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.known[id] != ""
	delete(w.known, id)
	return known
}

// askFor puts ids on the list of those to ask for.
func (w *httpWatcher) askFor(ids ...string) {
	for _, id := range ids {
		if w.known[id] != "" && !w.asked[id] {
			w.asked[id] = true
			w.todo = append(w.todo, id)
		}
	}
}

// recheck asks for those that were not asked for for the longest time.
func (w *httpWatcher) recheck() {
	all := w.Waiting()
	some := all[:min(recheckPage, len(all))]
	w.askFor(some...)
	w.waiting = append(all[len(some):], some...)
}

// answer is what asking for an extraction came to.
type answer struct {
	e    extraction.Extraction
	gone bool
	err  error
}

// Run asks for all extractions once the stream of events is open, and then for those
// that the stream names.
func (w *httpWatcher) Run(ctx context.Context, stop func() bool, final func(extraction.Extraction, bool) error) (err error) {
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
	ticker := time.NewTicker(recheckEvery)
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
			if (a.gone || a.e.Settled()) && w.forget(a.e.ID) {
				if err := final(a.e, a.gone); err != nil {
					return err
				}
			}
		case <-listening:
			listening = nil
			w.askFor(w.Waiting()...)
		case id := <-events:
			if id == "" { // Some events were missed: any of them may be final.
				clear(w.asked)
				w.todo = nil
				w.askFor(w.Waiting()...)
				continue
			}
			// A request that is under way may be answered with the state before.
			delete(w.asked, id)
			w.askFor(id)
		case <-ticker.C:
			w.recheck()
		case err := <-broken:
			return err
		case <-outer.Done():
			return context.Cause(outer)
		}
	}
	return nil
}

// listen passes on the ids of what becomes final, and an empty one where some were missed.
func (w *httpWatcher) listen(ctx context.Context, listening chan<- struct{}, events chan<- string) error {
	for e, err := range w.api.Events(ctx, client.EventFilter{Account: w.account, Listening: func() { close(listening) }}) {
		if err != nil {
			return w.explain(ctx, err)
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
func (w *httpWatcher) asker(ctx context.Context, ask <-chan string, answers chan<- answer) {
	for {
		var a answer
		select {
		case id := <-ask:
			a.e, a.err = w.api.Get(ctx, id)
			a.err = w.explain(ctx, a.err)
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
