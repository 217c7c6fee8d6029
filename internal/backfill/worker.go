package backfill

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/worker"
)

// stopWithin is how long running steps may take to end: the first Ctrl-C ends within 5 s,
// Redis included. The next run goes on with an upload that is cut off.
const stopWithin = 2 * time.Second

// serve runs a worker for the account in this process.
func (b *Backfill) serve(ctx context.Context) (stop func(), err error) {
	accounts := []config.Account{b.Account}
	wc, err := app.WorkerConfig(b.Process, b.Services, accounts)
	if err != nil {
		return nil, err
	}
	// Other processes see that the account has a worker, for as long as this one runs.
	wc.Accounts[0].Registration, wc.Accounts[0].Visit = app.Registration(b.Process, b.Account, b.Provider), true
	wc.StopTimeout, wc.StoreFailed = stopWithin, b.storeFailed
	if b.journal != nil {
		wc.Journal = b.journal.Note
	}
	if b.ownsQueue() {
		sender, err := app.NewSender(b.Process)
		if err != nil {
			return nil, err
		}
		wc.Deliverer = app.Deliverer{Sender: sender}
	}
	w, err := worker.New(wc)
	if err != nil {
		return nil, err
	}
	l := limiter.New(b.RDB, b.Records)
	if err := b.agrees(ctx, l); err != nil {
		return nil, err
	}
	// A pause of an earlier run is lifted: the user may have removed its reason.
	state, err := l.State(ctx, b.Account.Name)
	b.refusals.lastOK = state.LastSubmitOK
	if err == nil && state.Reason != limiter.Active && state.Reason != limiter.Operator {
		err = l.Lift(ctx, b.Account.Name, state.Reason)
	}
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	b.limiter = l
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			b.Log.ErrorContext(ctx, "worker ended", slog.Any("error", err))
		}
	})
	return func() { cancel(); wg.Wait() }, nil
}

// agrees returns an error if other workers have the account with another provider: each would
// send the other's documents to its own vendor.
func (b *Backfill) agrees(ctx context.Context, l *limiter.Limiter) error {
	served, err := l.Served(ctx, b.Account.Name)
	if err != nil {
		return errkind.MarkUnavailable(err)
	}
	if !served {
		return nil
	}
	theirs, ok, err := b.Records.Known(ctx, b.Account.Name)
	switch {
	case err != nil:
		return errkind.MarkUnavailable(err)
	case ok && theirs.Provider != b.Account.Provider:
		return errkind.New(errkind.Usage, fmt.Errorf("%w: account %s has provider %s there, and %s here",
			intake.ErrOtherProvider, b.Account.Name, theirs.Provider, b.Account.Provider))
	}
	return nil
}
