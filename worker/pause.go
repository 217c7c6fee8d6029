package worker

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/limiter"
)

// pause stops an account for every worker and shows it as paused queues. It ends
// no extraction.
func (w *Worker) pause(ctx context.Context, a *account, r limiter.Reason, cause error) error {
	changed, err := w.limiter.Pause(ctx, a.Name, r, a.Key, extraction.Explain(cause))
	if err != nil || !changed {
		return err
	}
	level := slog.LevelError
	if r == limiter.Unavailable { // It ends with the vendor's trouble.
		level = slog.LevelWarn
	}
	w.log.Log(ctx, level, "account paused", slog.String("account", a.Name), slog.String("reason", string(r)),
		slog.String("kind", string(extraction.KindOf(cause))), slog.String("because", extraction.Explain(cause)))
	return w.queue.SetPaused(ctx, a.Name, true, r.StopsPolls())
}

// tend brings an account's queues in line with its state, and probes a paused
// account whose time has come, or for which there is a key that has not been
// refused yet. While the workers learn of a new key, one that still has the old
// one must not make the others ask again and again.
func (w *Worker) tend(ctx context.Context, a *account, now time.Time) error {
	s, err := w.limiter.State(ctx, a.Name)
	if err != nil {
		return err
	}
	if s.Reason != limiter.Active && s.Reason != limiter.Operator {
		newKey := s.Reason == limiter.Unauthorized && a.Key != "" && !slices.Contains(s.Keys, a.Key)
		if newKey || !now.Before(s.ProbeAt) {
			if s, err = w.probeInTurn(ctx, a, s, !now.Before(s.DoubtedUntil())); err != nil {
				return err
			}
		}
	}
	if s, err = w.tendStore(ctx, a, s, now); err != nil {
		return err
	}
	return w.showPause(ctx, a, s)
}

// probeInTurn is probe where not too many others are probed; the next tick tries again.
func (w *Worker) probeInTurn(ctx context.Context, a *account, s limiter.State, inDoubt bool) (limiter.State, error) {
	select {
	case w.probing <- struct{}{}:
		defer func() { <-w.probing }()
		return w.probe(ctx, a, s, inDoubt)
	default:
		return s, nil
	}
}

// showPause brings an account's queues in line with its state.
func (w *Worker) showPause(ctx context.Context, a *account, s limiter.State) error {
	held := !s.StoreSince.IsZero()
	return w.queue.SetPaused(ctx, a.Name, held || s.Reason != limiter.Active && !s.TrialFree, held || s.Reason.StopsPolls() && !s.Trial)
}

// probe makes one free call for a paused account and resumes it if that works. The only
// free call that is sure to look at the key is both vendors' list. A key that may not read
// it may do all else for all we know: with inDoubt that ends the pause, too, and the calls
// that follow show whether it should have.
func (w *Worker) probe(ctx context.Context, a *account, s limiter.State, inDoubt bool) (limiter.State, error) {
	admission, err := w.limiter.Admit(ctx, a.Name, limiter.OpProbe, a.Rate, limiter.OpProbe.Patience())
	if err != nil || admission.Verdict != limiter.Go {
		return s, err
	}
	if err := wait.For(ctx, admission.Wait); err != nil {
		return s, err
	}
	// The next probe is planned before this one, which may hang for longer than a
	// tick: a paused account gets one call.
	if err := w.limiter.Probed(ctx, a.Name, s, a.Key, s.Message); err != nil {
		return s, err
	}
	call, cancel := transfer.WithTimeout(ctx, w.cfg.Stall)
	defer cancel()
	err = a.Provider.Probe(call)
	lift := w.limiter.Lift
	if extraction.KindOf(err) == extraction.KindForbidden && inDoubt {
		lift, err = w.limiter.LiftInDoubt, nil
	}
	if err != nil {
		if err := w.limiter.Trouble(ctx, a.Name, string(troubleCode(err)), extraction.Explain(err)); err != nil {
			return s, err
		}
		return s, w.limiter.Probed(ctx, a.Name, s, a.Key, extraction.Explain(err))
	}
	if err := lift(ctx, a.Name, s.Reason); err != nil {
		return s, err
	}
	now, err := w.limiter.State(ctx, a.Name) // An operator may have paused it meanwhile.
	if err == nil && now.Reason == limiter.Active {
		w.log.InfoContext(ctx, "account resumed", slog.String("account", a.Name), slog.String("reason", string(s.Reason)))
	}
	return now, err
}
