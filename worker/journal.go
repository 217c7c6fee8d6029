package worker

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/extractq/extractq/internal/intake"
)

// journal tells Config.Journal how far the submission has got, before a call that
// must not happen without it.
func (s *step) journal(b intake.Begun) error {
	if s.w.cfg.Journal == nil {
		return nil
	}
	if err := s.w.cfg.Journal(s.rec.ID, b); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// noted tells Config.Journal what a call has come to. The record says it too, and
// the call is made: that this is lost only makes a later Resume ask once more.
func (s *step) noted(b intake.Begun) { s.w.noted(s.ctx, s.rec.ID, b) }

func (w *Worker) noted(ctx context.Context, id string, b intake.Begun) {
	if w.cfg.Journal == nil {
		return
	}
	err := w.cfg.Journal(id, b)
	if err == nil {
		return
	}
	w.log.ErrorContext(ctx, "journal fails", slog.String("extraction_id", id), slog.Any("error", err))
	if w.cfg.StoreFailed != nil {
		w.cfg.StoreFailed(err)
	}
}
