package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// sameWish is how soon after the first signal another one is the same wish: GNU
// timeout signals the process and then its group, and a terminal and a supervisor
// may both pass on one Ctrl-C.
const sameWish = 500 * time.Millisecond

// atOnceWithin bounds what a second signal waits for.
const atOnceWithin = time.Second

// signaled is the cause of a context that a signal ended.
type signaled struct{ os.Signal }

func (s signaled) Error() string { return "stopped by " + s.String() }

// code is the exit code of a process that a signal ended.
func (s signaled) code() int {
	switch s.Signal {
	case syscall.SIGTERM:
		return exitTerminated
	case syscall.SIGHUP:
		return exitHangup
	}
	return exitInterrupted
}

// heeded turns the first signal into the end of the returned context; the second
// ends the process at once. A SIGHUP for which a server role listens is neither. A
// signal that was ignored when the process began, as by nohup, stays ignored but for
// such a SIGHUP.
func heeded() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	reloads, ends := new(hangups), new(endings)
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	ignored := map[os.Signal]bool{}
	for _, s := range stops {
		ignored[s] = signal.Ignored(s)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, stops...)
	done := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case s := <-signals:
				switch {
				case s == syscall.SIGHUP && reloads.take(), ignored[s]:
				case first.IsZero():
					first = time.Now()
					cancel(signaled{s})
				case time.Since(first) < sameWish:
				default:
					ends.atOnce()
					os.Exit(signaled{s}.code())
				}
			case <-done:
				return
			}
		}
	}()
	ctx = context.WithValue(ctx, hangupKey{}, reloads)
	return context.WithValue(ctx, endingsKey{}, ends), func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// endings are what must not outlive the process, even where a second signal leaves
// no time to end it in order.
type endings struct {
	mu   sync.Mutex
	ends []func()
}

// endingsKey is where main leaves the endings in the context.
type endingsKey struct{}

// endAtOnce has end called before a second signal ends the process.
func endAtOnce(ctx context.Context, end func()) {
	e, ok := ctx.Value(endingsKey{}).(*endings)
	if !ok {
		return // A test that is not started by main.
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ends = append(e.ends, end)
}

// atOnce ends them all, or as many as the time allows.
func (e *endings) atOnce() {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ending sync.WaitGroup
	for _, end := range e.ends {
		ending.Go(end)
	}
	ended := make(chan struct{})
	go func() { ending.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(atOnceWithin):
	}
}
