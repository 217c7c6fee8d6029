package store

import (
	"cmp"
	"context"
	"fmt"

	"github.com/extractq/extractq/extraction"
)

// Submissions stand in an account's line until it is their turn, so that what waits
// in the queue is only a little more than what goes to the vendor next. Customers
// take turns, one extraction each, and "bulk" has its turn when nothing "normal"
// waits. Whatever gives up a place lets the next one go: see Release.

// Window is how much of an account's work may be under way.
type Window struct {
	// Released is how many may have their turn without having called the vendor yet.
	Released int
	// InFlight is how many may be at the vendor or on their way there.
	InFlight int
	// Because is what those wait for that the first limit holds back; empty for their
	// turn only.
	Because extraction.Because
}

// SetWindow says how much of an account's work may be under way. The workers say so,
// again and again: producers do not know, and nothing is released before.
func (s *Records) SetWindow(ctx context.Context, account string, w Window) error {
	err := s.rdb.HSet(ctx, accountKeys(account).gate(), "window", w.Released, "slots", w.InFlight,
		"why", string(cmp.Or(w.Because, extraction.BecauseScheduled))).Err()
	if err != nil {
		return fmt.Errorf("set window of %s: %w", account, err)
	}
	return nil
}

// Release gives up to limit waiting extractions of an account their turn, as far as there is
// room, marks them due, and returns them. It is cheap where nothing waits or may go. The
// caller starts their tasks; reconcile does if the caller dies.
func (s *Records) Release(ctx context.Context, account string, limit int) ([]Record, error) {
	got, err := s.run(ctx, "release", Input{Account: account}, "-", limit)
	if err != nil {
		return nil, err
	}
	ids, _ := got[0].([]any)
	if len(ids) == 0 {
		return nil, nil
	}
	refs := make([]ref, len(ids))
	for i, id := range ids {
		refs[i].account = account
		refs[i].id, _ = id.(string)
	}
	return s.read(ctx, refs)
}
