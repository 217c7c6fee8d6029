package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/wait"
)

// unservedEvery is how often a command that waits asks whether there are workers for it.
const unservedEvery = 5 * time.Second

// unserved says of which accounts no worker is there, and when one is there again.
type unserved struct{ names []string }

// look returns the lines that are due. waiting are the accounts of what is waited for,
// now those of them that no worker has.
func (u *unserved) look(waiting, now []string) []string {
	var lost, back, lines []string
	for _, name := range now {
		if !slices.Contains(u.names, name) {
			lost = append(lost, name)
		}
	}
	for _, name := range u.names {
		if !slices.Contains(now, name) && slices.Contains(waiting, name) {
			back = append(back, name)
		}
	}
	u.names = now
	if len(lost) > 0 {
		lines = append(lines, app.UnservedText(lost))
	}
	if len(back) > 0 {
		lines = append(lines, fmt.Sprintf("a worker has %s again", strings.Join(back, ", ")))
	}
	return lines
}

// lookForWorkers says at once and from then on, until stop, which accounts of what is
// waited for no worker has.
func lookForWorkers(ctx context.Context, cfg settings, p producer, f watcher) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		var u unserved
		for {
			waiting := f.Accounts()
			now, err := p.unserved(ctx, waiting)
			if ctx.Err() != nil {
				return
			}
			if err == nil { // The following says what is wrong otherwise.
				for _, line := range u.look(waiting, now) {
					cfg.Say("%s", line)
				}
			}
			if wait.For(ctx, unservedEvery) != nil {
				return
			}
		}
	})
	return func() { cancel(); looking.Wait() }
}
