// Package scheduler is the ticker. It only enqueues: for each account and slot
// of time one reconcile task, as often as the workers want it one that reads the
// vendor's ready lists, and every hour one that looks through the document store.
// The id of a task names its slot, so that any number of schedulers give one run.
package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/tasks"
)

// Interval is the time between two runs for an account.
const Interval = 2 * time.Second

// SweepInterval is the shortest time between two readings of an account's ready lists.
const SweepInterval = time.Second

// ExpireInterval is the time between two looks through the document store.
const ExpireInterval = time.Hour

// Config is what a Scheduler needs.
type Config struct {
	// Redis is shared with the workers; the caller closes it.
	Redis redis.UniversalClient
	// Accounts are the names of those to look after.
	Accounts []string
	// Registered are the accounts that have extractions. They are looked after
	// too: some may be in the configuration no longer. Nil means none.
	Registered func(context.Context) ([]string, error)
	// Sweeps says how often an account's ready lists are to be read, zero for not at
	// all. Nil means none of them ever.
	Sweeps func(context.Context, string) (time.Duration, error)
	// Logger receives what goes wrong.
	Logger *slog.Logger
}

// Scheduler enqueues the tasks of each slot of time. Make one with New.
type Scheduler struct {
	cfg   Config
	queue *tasks.Queue
	// accounts are those of the configuration.
	accounts atomic.Pointer[[]string]
	// The slots enqueued last, by account where there is one for each.
	reconciled map[string]int64
	swept      map[string]int64
	expired    int64
}

// New returns a scheduler. It makes no connection before Run.
func New(cfg Config) *Scheduler {
	s := &Scheduler{
		cfg: cfg, queue: tasks.NewQueue(cfg.Redis), reconciled: map[string]int64{}, swept: map[string]int64{},
	}
	s.Reload(cfg.Accounts)
	return s
}

// Reload makes the scheduler look after other accounts from the next tick on.
func (s *Scheduler) Reload(accounts []string) {
	accounts = slices.Clone(accounts)
	s.accounts.Store(&accounts)
}

// Run ticks until ctx ends. A tick that fails is logged and the next one tries
// again: what it would have mended waits for it.
func (s *Scheduler) Run(ctx context.Context) error {
	ticker := time.NewTicker(SweepInterval)
	defer ticker.Stop()
	next := time.Now()
	for {
		err := s.sweeps(ctx, time.Now())
		if !time.Now().Before(next) {
			next = time.Now().Add(Interval - SweepInterval/2)
			err = errors.Join(err, s.runOnce(ctx, time.Now()))
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "tick not enqueued", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// runOnce enqueues the slot that now falls into. An account whose last tick
// still waits gets none: with no worker running they would pile up.
func (s *Scheduler) runOnce(ctx context.Context, now time.Time) error {
	slot := now.UnixMilli() / Interval.Milliseconds()
	accounts, err := s.known(ctx)
	errs := []error{err}
	for _, account := range accounts {
		waits, err := s.queue.ReconcileWaits(account, s.reconciled[account])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if waits {
			continue
		}
		if err := s.queue.Reconcile(ctx, account, slot, Interval); err != nil {
			errs = append(errs, err)
			continue
		}
		s.reconciled[account] = slot
	}
	if hour := now.UnixMilli() / ExpireInterval.Milliseconds(); hour != s.expired {
		err := s.queue.Expire(ctx, hour, ExpireInterval)
		if err == nil {
			s.expired = hour
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sweeps enqueues the readings of ready lists whose slot has come, where the one before
// does not wait still.
func (s *Scheduler) sweeps(ctx context.Context, now time.Time) error {
	if s.cfg.Sweeps == nil {
		return nil
	}
	var errs []error
	for _, account := range *s.accounts.Load() {
		every, err := s.cfg.Sweeps(ctx, account)
		if err != nil || every < SweepInterval {
			errs = append(errs, err)
			continue
		}
		slot := now.UnixMilli() / every.Milliseconds()
		last := s.swept[account]
		if last == slot {
			continue
		}
		waits, err := s.queue.SweepWaits(account, last)
		if err != nil || waits {
			errs = append(errs, err)
			continue
		}
		if err := s.queue.Sweep(ctx, account, slot, every); err != nil {
			errs = append(errs, err)
			continue
		}
		s.swept[account] = slot
	}
	return errors.Join(errs...)
}

// known are the accounts of the configuration and those that have extractions.
// With an error it is the first only.
func (s *Scheduler) known(ctx context.Context) ([]string, error) {
	all := slices.Clone(*s.accounts.Load())
	if s.cfg.Registered == nil {
		return all, nil
	}
	registered, err := s.cfg.Registered(ctx)
	if err != nil {
		return all, err
	}
	all = append(all, registered...)
	slices.Sort(all)
	return slices.Compact(all), nil
}
