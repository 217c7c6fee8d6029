package worker

import (
	"context"
	"log/slog"
	"maps"
	"sync"

	"github.com/extractq/extractq/limiter"
)

// Reload makes a worker work for other accounts: the same ones with new keys,
// rates and limits, new ones, and no longer those that are missing. Each account
// changes as a whole; a step that is being carried out ends with what it began
// with. An account that was paused because its key was refused is probed at once
// with a new one.
//
// Where Reload returns an error, nothing has changed, unless a server could not
// be started.
func (w *Worker) Reload(ctx context.Context, accounts []Account) error {
	changed, err := w.exchange(ctx, accounts)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, a := range changed {
		wg.Go(func() {
			if err := w.tryKey(ctx, a); err != nil && ctx.Err() == nil {
				w.log.WarnContext(ctx, "account not probed", slog.String("account", a.Name), slog.Any("error", err))
			}
		})
	}
	wg.Wait()
	return nil
}

// tryKey probes an account that was paused because its key was refused. Its key
// was changed by hand, so it is tried also where it is one that was refused
// before.
func (w *Worker) tryKey(ctx context.Context, a *account) error {
	s, err := w.limiter.State(ctx, a.Name)
	if err != nil || s.Reason != limiter.Unauthorized {
		return err
	}
	if s, err = w.probe(ctx, a, s, true); err != nil {
		return err
	}
	return w.showPause(ctx, a, s)
}

// exchange replaces the accounts, starts and ends servers, and returns those that
// have another key than before.
func (w *Worker) exchange(ctx context.Context, accounts []Account) (changed []*account, err error) {
	w.turn.Lock()
	defer w.turn.Unlock()
	next, err := w.prepare(accounts)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	before := w.accounts
	w.accounts = next
	w.mu.Unlock()
	gone := map[string]*account{}
	for name, a := range before {
		if _, ok := next[name]; !ok {
			gone[name] = a
		}
	}
	for name, a := range next {
		if old, ok := before[name]; ok && old.Key != a.Key {
			changed = append(changed, a)
		}
	}
	if w.fleet == nil {
		return changed, nil
	}
	added := maps.Clone(next)
	maps.DeleteFunc(added, func(name string, _ *account) bool { return before[name] != nil })
	w.settleClocks(ctx, added)
	w.serve(ctx)
	for name := range gone {
		if _, ok := w.fleet.servers[name]; ok { // It may have failed to start.
			w.fleet.remove(name)
		}
	}
	w.leave(ctx, gone)
	for name := range next {
		if _, ok := w.fleet.servers[name]; !ok {
			if err := w.fleet.add(name); err != nil {
				return nil, err
			}
		}
	}
	return changed, nil
}
