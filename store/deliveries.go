package store

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/extractq/extractq/extraction"
)

// Deliver says that the delivery of a number is under way: where neither Deliver nor
// Delivered is called within d, its task is lost. It returns ErrStale where that delivery is
// not due any more.
func (s *Records) Deliver(ctx context.Context, in Input, n int64, d time.Duration) error {
	_, err := s.run(ctx, "deliver", in, n, d.Milliseconds())
	return err
}

// Delivered notes what the delivery of a number came to. DeliveryPending schedules
// the next one after delay, which is rounded up to whole seconds; DeliveryBusy does
// so too, and counts as no attempt. problem says why it was not delivered. Delivered
// returns ErrStale where another delivery is due by now; the attempt counts all the same,
// once for each number.
func (s *Records) Delivered(
	ctx context.Context, in Input, token string, n int64, state DeliveryState, status int, delay time.Duration, problem string,
) (Scheduled, error) {
	outcome := map[DeliveryState]string{DeliveryPending: "retry"}[state]
	got, err := s.run(ctx, "delivered", in, token, n, cmp.Or(outcome, string(state)), status, delay.Milliseconds(), problem)
	if err != nil {
		return Scheduled{}, err
	}
	return scheduled(got), nil
}

// Redeliver makes a delivery due now, under a new number, where n is the present one: because
// its task is lost or, with anew, whatever has come of the deliveries. It returns ErrStale
// where there is none to make, or where n is not the present number any more.
func (s *Records) Redeliver(ctx context.Context, in Input, token string, n int64, anew bool) (Scheduled, error) {
	got, err := s.run(ctx, "redeliver", in, token, n, flag(anew))
	if err != nil {
		return Scheduled{}, err
	}
	return scheduled(got), nil
}

// Ready returns the extractions of some accounts that are final and not
// acknowledged, those that ended first coming first, behind a cursor (whose
// CreatedAt is when the extraction ended).
func (s *Records) Ready(ctx context.Context, accounts []string, customer string, after Cursor) iter.Seq2[Record, error] {
	lists := make([]*listReader, len(accounts))
	for i, account := range accounts {
		lists[i] = newReadyReader(s, account, after)
	}
	return s.each(ctx, lists, extraction.Filter{Customer: customer})
}

// Acknowledge takes extractions of an account off the ready list; those that are
// not on it are no error. It returns how many were.
func (s *Records) Acknowledge(ctx context.Context, account string, ids ...string) (int64, error) {
	members := make([]any, len(ids))
	for i, id := range ids {
		members[i] = id
	}
	n, err := s.rdb.ZRem(ctx, accountKeys(account).ready(), members...).Result()
	if err != nil {
		return 0, fmt.Errorf("acknowledge: %w", err)
	}
	return n, nil
}
