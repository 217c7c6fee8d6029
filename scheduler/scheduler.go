// Package scheduler is the loop that looks after accounts: it repairs, reads the
// vendors' ready lists and erases what has expired. Every worker runs it for its own
// accounts and, in turns with the others, for what belongs to none; it may run apart, too.
//
// Each duty is claimed in Redis for a slot of time before it is carried out, so that
// any number of loops give one run, and one that has died is replaced in the next slot.
package scheduler

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// Interval is the time between two runs for an account.
const Interval = 2 * time.Second

const (
	// sweepInterval is the shortest time between two readings of an account's ready lists.
	sweepInterval = time.Second
	// expireInterval is the time between two looks through the document store.
	expireInterval = time.Hour
	// Slots is how many duties one process carries out at once.
	Slots = 12
	// each is how many runs for an account may overlap: one that waits for a vendor's
	// answer to a probe does not keep back the repair of its extractions.
	each = 2
)

// The longest that a duty may take.
const (
	accountTimeout = time.Minute
	expireTimeout  = 30 * time.Minute
)

// Duties are what a loop carries out. None of them returns an error: what failed is
// logged, and tried again in a later slot.
type Duties interface {
	// Accounts are the names of those that this process has.
	Accounts() []string
	// Reconcile looks after one of them.
	Reconcile(ctx context.Context, account string)
	// SweepEvery is how often an account's ready lists are to be read; 0 is not at all.
	SweepEvery(ctx context.Context, account string) (time.Duration, error)
	// Sweep reads them.
	Sweep(ctx context.Context, account string)
	// ReconcileGone looks after the accounts that no worker has.
	ReconcileGone(ctx context.Context)
	// Expire looks through the document store.
	Expire(ctx context.Context)
}

// Claim reports whether the caller has a duty in the present slot of time. Without an
// account it is one of all workers together.
type Claim func(ctx context.Context, account, duty string, every time.Duration) (bool, error)

// Scheduler is the loop. Make one with New.
type Scheduler struct {
	duties   Duties
	claim    Claim
	interval time.Duration
	log      *slog.Logger

	slots chan struct{}
	all   sync.WaitGroup

	mu      sync.Mutex
	running map[string]int       // By duty and account.
	sweeps  map[string]time.Time // When an account's lists are thought of again.
	warned  time.Time
}

// New returns a loop with an interval between two runs for an account; 0 is Interval.
func New(duties Duties, claim Claim, interval time.Duration, log *slog.Logger) *Scheduler {
	if interval <= 0 {
		interval = Interval
	}
	return &Scheduler{
		duties: duties, claim: claim, interval: interval, log: log,
		slots: make(chan struct{}, Slots), running: map[string]int{}, sweeps: map[string]time.Time{},
	}
}

// Run carries out the duties until ctx ends, which interrupts those under way.
func (s *Scheduler) Run(ctx context.Context) {
	defer s.all.Wait()
	ticker := time.NewTicker(min(sweepInterval, s.interval))
	defer ticker.Stop()
	next := time.Time{}
	for {
		now := time.Now()
		if !now.Before(next) {
			next = now.Add(s.interval - s.interval/4) // The first tick of the ticker after that.
			s.reconcile(ctx)
		}
		s.sweep(ctx, now)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// reconcile begins the runs for all accounts and for what belongs to none.
func (s *Scheduler) reconcile(ctx context.Context) {
	for _, account := range s.duties.Accounts() {
		s.begin(ctx, account, "reconcile", each, s.interval, accountTimeout, func(ctx context.Context) {
			s.duties.Reconcile(ctx, account)
		})
	}
	s.begin(ctx, "", "gone", 1, s.interval, accountTimeout, s.duties.ReconcileGone)
	s.begin(ctx, "", "expire", 1, expireInterval, expireTimeout, s.duties.Expire)
}

// sweep begins to read the ready lists whose time may have come.
func (s *Scheduler) sweep(ctx context.Context, now time.Time) {
	for _, account := range s.duties.Accounts() {
		s.mu.Lock()
		wait := now.Before(s.sweeps[account])
		s.mu.Unlock()
		if wait {
			continue
		}
		s.spawn(ctx, "sweep "+account, 1, func() {
			every, err := s.duties.SweepEvery(ctx, account)
			s.mu.Lock() // Whether they are read at all is decided once an interval.
			s.sweeps[account] = now.Add(max(sweepInterval/2, min(every, s.interval)-sweepInterval/2))
			if every == 0 {
				s.sweeps[account] = now.Add(s.interval)
			}
			s.mu.Unlock()
			if err != nil || every < sweepInterval {
				s.warn(ctx, err)
				return
			}
			s.carryOut(ctx, account, "sweep", every, accountTimeout, func(ctx context.Context) {
				s.duties.Sweep(ctx, account)
			})
		})
	}
}

// begin carries out a duty beside others, if it is this process's in the present slot.
func (s *Scheduler) begin(
	ctx context.Context, account, duty string, atOnce int, every, timeout time.Duration, do func(context.Context),
) {
	s.spawn(ctx, duty+" "+account, atOnce, func() { s.carryOut(ctx, account, duty, every, timeout, do) })
}

// spawn calls do in a slot of its own, unless so many calls of this name run or wait.
func (s *Scheduler) spawn(ctx context.Context, name string, atOnce int, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[name] >= atOnce {
		return
	}
	s.running[name]++
	s.all.Go(func() {
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.running[name]--; s.running[name] == 0 {
				delete(s.running, name)
			}
		}()
		select {
		case <-ctx.Done():
			return
		case s.slots <- struct{}{}:
		}
		defer func() { <-s.slots }()
		defer func() {
			if v := recover(); v != nil { // It costs one run, not the process.
				s.log.ErrorContext(ctx, "duty panicked", slog.String("duty", name), slog.String("stack", string(debug.Stack())))
			}
		}()
		do()
	})
}

// carryOut claims a duty and carries it out.
func (s *Scheduler) carryOut(
	ctx context.Context, account, duty string, every, timeout time.Duration, do func(context.Context),
) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	mine, err := s.claim(ctx, account, duty, every)
	if err != nil || !mine {
		s.warn(ctx, err)
		return
	}
	do(ctx)
}

// warn says that Redis does not let duties be claimed, once an interval for all.
func (s *Scheduler) warn(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	again := time.Since(s.warned) < s.interval
	if !again {
		s.warned = time.Now()
	}
	s.mu.Unlock()
	if !again {
		s.log.WarnContext(ctx, "accounts not looked after", slog.Any("error", err))
	}
}
