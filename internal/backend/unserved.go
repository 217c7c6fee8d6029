package backend

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

// unservedEvery is the time between two looks for workers.
const unservedEvery = 5 * time.Second

// unserved are the accounts that no worker has, as the user was told last.
type unserved struct{ names []string }

// update returns the lines that are due. waiting are the accounts of what is waited for, and
// now those of them that no worker has.
func (u *unserved) update(waiting, now []string) []string {
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

// SayUnserved says, at once and until stop, which of the accounts that w waits for have no
// worker, and which have one again.
func SayUnserved(ctx context.Context, b Backend, w Watcher, say func(format string, args ...any)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		var u unserved
		for {
			waiting := w.Accounts()
			now, err := b.Unserved(ctx, waiting)
			if ctx.Err() != nil {
				return
			}
			if err == nil { // The watcher reports what is wrong otherwise.
				for _, line := range u.update(waiting, now) {
					say("%s", line)
				}
			}
			if wait.For(ctx, unservedEvery) != nil {
				return
			}
		}
	})
	return func() { cancel(); looking.Wait() }
}
