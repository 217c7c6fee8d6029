package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/limiter"
)

// fleet are the asynq servers of a running worker: one for each account, so that
// a slow vendor takes only its own slots, and one for the deliveries, so that slow
// producers hold up nothing else.
type fleet struct {
	w *Worker
	// base is the context of all steps.
	base context.Context
	// shared are those of no account.
	shared  []*server
	servers map[string]*server // By account.
	// wakeup wakes the servers when there is something to do.
	wakeup *queue.Wakeup
	// leaving waits for the servers of accounts that have left.
	leaving sync.WaitGroup
}

// server is an asynq server.
type server struct {
	*asynq.Server

	// unsubscribe ends its waiting to be woken.
	unsubscribe func()
	// quit ends the giving of turns, where it serves an account.
	quit context.CancelFunc
}

// Run serves until ctx ends, then lets running steps end for at most
// StopTimeout. It returns an error only when a server cannot start.
func (w *Worker) Run(ctx context.Context) error {
	// Steps outlive ctx by the stop timeout, and not longer.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	w.base = base
	f := &fleet{w: w, base: base, servers: map[string]*server{}, wakeup: queue.NewWakeup(w.cfg.Redis)}
	hearing, hush := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() { f.wakeup.Run(hearing) })
	defer listening.Wait()
	defer hush()

	w.settleClocks(ctx, w.all())
	w.turn.Lock()
	w.serve(ctx)
	err := f.launch()
	if err == nil {
		w.fleet = f
	}
	w.turn.Unlock()
	if err != nil {
		f.stop(cancel)
		return err
	}
	w.log.InfoContext(ctx, "worker started", slog.Int("accounts", len(w.all())))
	var looking sync.WaitGroup
	looking.Go(func() { w.lookAfter(ctx, false) })
	w.keepServing(ctx)
	looking.Wait()

	w.log.InfoContext(base, "worker stopping", slog.Int64("running", w.running.Load()), slog.Duration("at_most", w.cfg.StopTimeout))
	w.turn.Lock()
	w.fleet = nil // Nothing is started any more.
	w.turn.Unlock()
	f.stop(cancel)
	for _, a := range w.all() {
		a.planner.Flush(context.WithoutCancel(ctx)) // No step runs any more.
	}
	w.leave(base, w.all())
	w.log.InfoContext(base, "worker stopped")
	return nil
}

// launch starts all servers.
func (f *fleet) launch() error {
	for name := range f.w.all() {
		if err := f.add(name); err != nil {
			return err
		}
	}
	if f.w.cfg.Deliverer == nil {
		return nil
	}
	mux := asynq.NewServeMux()
	mux.HandleFunc(queue.TypeDeliver, f.w.handle(f.w.deliver))
	s := f.server(deliverySlots, queue.DeliverQueue)
	if err := s.Start(mux); err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	f.shared = append(f.shared, s)
	return nil
}

// add starts the server of an account. Polls go strictly first: what they find
// frees a slot.
func (f *fleet) add(account string) error {
	mux := asynq.NewServeMux()
	mux.HandleFunc(queue.TypeSubmit, f.w.handle(f.w.submit))
	mux.HandleFunc(queue.TypePoll, f.w.handle(f.w.poll))
	s := f.server(f.w.cfg.Concurrency, queue.PollQueue(account), queue.SubmitQueue(account))
	if err := s.Start(mux); err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	var ctx context.Context
	ctx, s.quit = context.WithCancel(f.base)
	f.servers[account] = s
	if a, ok := f.w.account(account); ok {
		f.leaving.Go(func() { f.w.keepReleasing(ctx, account, a.room) })
		a.roomMade() // For what came while no worker served the account.
	}
	return nil
}

// remove takes no more tasks of an account and lets its running steps end.
func (f *fleet) remove(account string) {
	s := f.servers[account]
	delete(f.servers, account)
	s.quit()
	s.unsubscribe()
	s.Stop()
	f.leaving.Go(s.Shutdown)
}

// stop ends all servers. Steps that are not done in time are canceled.
func (f *fleet) stop(cancel context.CancelFunc) {
	all := slices.Clone(f.shared)
	for _, s := range f.servers {
		s.quit()
		all = append(all, s)
	}
	for _, s := range all {
		s.unsubscribe()
		s.Stop()
	}
	timer := time.AfterFunc(f.w.cfg.StopTimeout, cancel)
	defer timer.Stop()
	for _, s := range all {
		f.leaving.Go(s.Shutdown)
	}
	f.leaving.Wait()
}

// server is an asynq server of this process for some queues, each strictly before
// those after it.
func (f *fleet) server(concurrency int, queues ...string) *server {
	client, unsubscribe := f.wakeup.Client(queues[len(queues)-1], queues...)
	priorities := map[string]int{}
	for i, q := range queues {
		priorities[q] = len(queues) - i
	}
	return &server{unsubscribe: unsubscribe, Server: asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency:    concurrency,
		Queues:         priorities,
		StrictPriority: true,
		BaseContext:    func() context.Context { return f.base },
		// The defaults of 1 s and 5 s make an idle queue up to a second late
		// and a delayed task up to five. Between two looks the client waits as well.
		TaskCheckInterval:        queue.IdlePoll,
		DelayedTaskCheckInterval: queue.IdlePoll,
		// Only trouble with Redis or the store is retried by asynq.
		RetryDelayFunc:  func(int, error, *asynq.Task) time.Duration { return f.w.cfg.RetryDelay },
		ShutdownTimeout: f.w.cfg.StopTimeout + 2*time.Second,
		Logger:          asynqLogger{f.w.log},
		LogLevel:        asynq.WarnLevel,
	})}
}

// keepServing says until ctx ends that this worker serves its accounts.
func (w *Worker) keepServing(ctx context.Context) {
	ticker := time.NewTicker(limiter.ServeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.serve(ctx)
		}
	}
}

// serve says once that this worker serves its accounts, and how much of their work may
// be under way.
func (w *Worker) serve(ctx context.Context) {
	if w.cfg.Blobs.RedisLost() {
		return // It may be another's.
	}
	for name, a := range w.all() {
		workers, err := w.limiter.Serve(ctx, name, w.id)
		switch {
		case err != nil || a.Registration.Provider == "":
		case a.Visit:
			err = w.records.Visit(ctx, name, a.Registration)
		default:
			err = w.records.Register(ctx, name, a.Registration)
		}
		if err == nil {
			err = w.records.SetWindow(ctx, name, window(a.Account, w.cfg.Concurrency, workers))
		}
		if err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "worker not noted", slog.String("account", name), slog.Any("error", err))
		}
		a.roomMade()
	}
}

// leave says that this worker no longer serves accounts. What it cannot say now
// expires.
func (w *Worker) leave(ctx context.Context, accounts map[string]*account) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	for name, a := range accounts {
		err := w.limiter.Leave(ctx, name, w.id)
		if err == nil && a.Visit {
			err = w.records.EndVisit(ctx, name)
		}
		if err != nil {
			w.log.DebugContext(ctx, "worker still noted", slog.String("account", name), slog.Any("error", err))
			return
		}
	}
}
