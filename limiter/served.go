package limiter

import (
	"context"
	"fmt"
	"time"
)

// ServeEvery is how often a worker says that it serves an account, servedFor how
// long that counts: two notes may be lost.
const (
	ServeEvery = 10 * time.Second
	servedFor  = 3*ServeEvery + time.Second
)

// Serve notes that a worker serves an account, and returns how many do. An account
// that no worker serves is in no worker's configuration.
func (l *Limiter) Serve(ctx context.Context, account, worker string) (int, error) {
	k := accountKeys(account)
	n, err := l.clock.Call(ctx, serveScript, account, []string{k.workers(), k.state()}, worker, servedFor.Milliseconds()).Int()
	if err != nil {
		return 0, fmt.Errorf("note worker of %s: %w", account, err)
	}
	return n, nil
}

// Leave takes back what Serve noted.
func (l *Limiter) Leave(ctx context.Context, account, worker string) error {
	if err := l.rdb.ZRem(ctx, accountKeys(account).workers(), worker).Err(); err != nil {
		return fmt.Errorf("note worker of %s: %w", account, err)
	}
	return nil
}

// Served reports whether any worker serves an account.
func (l *Limiter) Served(ctx context.Context, account string) (bool, error) {
	k := accountKeys(account)
	n, err := l.clock.Call(ctx, servedScript, account, []string{k.workers(), k.state()}, servedFor.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("look for workers of %s: %w", account, err)
	}
	return n > 0, nil
}
