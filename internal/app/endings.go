package app

import (
	"context"
	"sync"
	"time"
)

// Endings are functions that must run before the process ends, even if a second signal
// leaves no time for an orderly end.
type Endings struct {
	mu   sync.Mutex
	ends []func()
}

// endingsKey is the key of the Endings in a context.
type endingsKey struct{}

// WithEndings returns a context whose EndAtOnce adds to e.
func WithEndings(ctx context.Context, e *Endings) context.Context {
	return context.WithValue(ctx, endingsKey{}, e)
}

// EndAtOnce registers a function that is called before a second signal ends the process.
func EndAtOnce(ctx context.Context, end func()) {
	e, ok := ctx.Value(endingsKey{}).(*Endings)
	if !ok {
		return // A test that is not started by main.
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ends = append(e.ends, end)
}

// EndAll calls all of them and waits for them for at most atOnceWithin.
func (e *Endings) EndAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ending sync.WaitGroup
	for _, end := range e.ends {
		ending.Go(end)
	}
	ended := make(chan struct{})
	go func() { ending.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(atOnceWithin):
	}
}

// atOnceWithin is how long a second signal waits for them.
const atOnceWithin = time.Second
