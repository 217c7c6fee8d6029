package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// settleClocks reads the clocks of accounts before the worker begins to act on them. A worker
// that is up sees a jump of Redis's clock within two ticks.
func (w *Worker) settleClocks(ctx context.Context, accounts map[string]*account) {
	var wg sync.WaitGroup
	for name := range accounts {
		wg.Go(func() {
			if err := w.records.SettleClock(ctx, name, 2*w.tick()); err != nil && ctx.Err() == nil {
				w.log.WarnContext(ctx, "clock not read", slog.String("account", name), slog.Any("error", err))
			}
		})
	}
	wg.Wait()
}

// watchClock reads an account's clock, which takes back what Redis's has jumped, and says
// where it did. The rest of the run goes by that time.
func (w *Worker) watchClock(ctx context.Context, a *account) error {
	c, err := w.records.Clock(ctx, a.Name)
	if err != nil {
		return err
	}
	was := a.offset.Swap(&c.Offset)
	if was == nil {
		return nil
	}
	if by := *was - c.Offset; by.Abs() >= time.Second { // It wears off more slowly.
		w.log.WarnContext(ctx, "the clock of Redis has jumped: deadlines and due times stay where they were",
			slog.String("account", a.Name), slog.Duration("by", by), slog.Duration("offset", c.Offset))
	}
	return nil
}
