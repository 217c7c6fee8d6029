package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/extractq/extractq/internal/app"
)

// sameSignal is how soon after the first signal another one counts as the same: GNU timeout
// signals the process and then its group, and a terminal and a supervisor may both pass on one
// Ctrl-C.
const sameSignal = 500 * time.Millisecond

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

// withSignals returns a context that the first signal ends; the second ends the process at once.
// A SIGHUP that a server role listens for does neither. A signal that was ignored when the
// process began, as by nohup, stays ignored, except such a SIGHUP.
func withSignals() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	reloads, ends := new(reloadSignals), new(app.Endings)
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
				case time.Since(first) < sameSignal:
				default:
					ends.EndAll()
					os.Exit(signaled{s}.code())
				}
			case <-done:
				return
			}
		}
	}()
	ctx = context.WithValue(ctx, reloadKey{}, reloads)
	return app.WithEndings(ctx, ends), func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}
