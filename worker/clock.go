package worker

import (
	"context"
	"log/slog"
	"time"
)

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
