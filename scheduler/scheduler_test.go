package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// office are duties that count, and slots of time that last until the test ends them.
type office struct {
	mu    sync.Mutex
	names []string
	runs  map[string]int
	slot  int
	taken map[string]int
	every map[string]time.Duration
	away  error
	onRun func(ctx context.Context, account string)
}

func newOffice(names ...string) *office {
	return &office{names: names, runs: map[string]int{}, taken: map[string]int{}, slot: 1, every: map[string]time.Duration{}}
}

func (o *office) claim(_ context.Context, account, duty string, _ time.Duration) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away != nil {
		return false, o.away
	}
	name := duty + " " + account
	mine := o.taken[name] < o.slot
	o.taken[name] = o.slot
	return mine, nil
}

func (o *office) next() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.slot++
}

func (o *office) count(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.runs[name]++
}

func (o *office) ran(name string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.runs[name]
}

func (o *office) Accounts() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.names
}

func (o *office) Reconcile(ctx context.Context, account string) {
	o.count("reconcile " + account)
	if o.onRun != nil {
		o.onRun(ctx, account)
	}
}

func (o *office) SweepEvery(_ context.Context, account string) (time.Duration, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.every[account], o.away
}
func (o *office) Sweep(_ context.Context, account string) { o.count("sweep " + account) }
func (o *office) ReconcileGone(context.Context)           { o.count("gone") }
func (o *office) Expire(context.Context)                  { o.count("expire") }

// run runs so many loops until the test ends, and returns what they log.
func (o *office) run(t *testing.T, loops int) *lockedBuffer {
	t.Helper()
	var out lockedBuffer
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range loops {
		s := New(o, o.claim, 10*time.Millisecond, slog.New(slog.NewTextHandler(&out, nil)))
		wg.Go(func() { s.Run(ctx) })
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return &out
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited 20 s for %s", what)
		}
	}
}

// Several loops give one run for each duty and slot of time.
func TestOneRunPerSlot(t *testing.T) {
	t.Parallel()
	o := newOffice("a", "b")
	o.every["a"] = sweepInterval
	o.run(t, 4)
	names := []string{"reconcile a", "reconcile b", "sweep a", "gone", "expire"}
	for slot := 1; slot <= 3; slot++ {
		for _, name := range names {
			await(t, fmt.Sprintf("%s in slot %d", name, slot), func() bool { return o.ran(name) >= slot })
		}
		time.Sleep(50 * time.Millisecond) // All loops ask again, and get nothing.
		for _, name := range names {
			if got := o.ran(name); got != slot {
				t.Errorf("%d runs of %s in %d slots", got, name, slot)
			}
		}
		o.next()
	}
	if o.ran("sweep b") != 0 {
		t.Error("lists are read that are not to be read")
	}
}

// An account that takes long does not keep the others waiting, and has no more than two
// runs at once.
func TestSlowAccount(t *testing.T) {
	t.Parallel()
	o := newOffice("slow", "b")
	o.onRun = func(ctx context.Context, account string) {
		if account == "slow" {
			<-ctx.Done()
		}
	}
	o.run(t, 1)
	for slot := 1; slot <= 2*Slots; slot++ {
		await(t, "the other account", func() bool { return o.ran("reconcile b") >= slot })
		o.next()
	}
	if got := o.ran("reconcile slow"); got > each {
		t.Errorf("%d runs at once for one account", got)
	}
}

// Trouble and panics cost one run: the loop says so, and goes on.
func TestTrouble(t *testing.T) {
	t.Parallel()
	o := newOffice("a")
	o.away = errors.New("redis is away")
	out := o.run(t, 1)
	await(t, "the warning", func() bool { return out.contains("redis is away") })
	o.mu.Lock()
	o.away, o.onRun = nil, func(context.Context, string) {
		if o.ran("reconcile a") == 1 {
			panic("a slip")
		}
	}
	o.mu.Unlock()
	await(t, "the first run", func() bool { return out.contains("duty panicked") })
	o.next()
	await(t, "the next run", func() bool { return o.ran("reconcile a") == 2 })
}

// The accounts may change while the loop runs.
func TestAccountsChange(t *testing.T) {
	t.Parallel()
	o := newOffice("a")
	o.run(t, 1)
	await(t, "the first account", func() bool { return o.ran("reconcile a") == 1 })
	o.mu.Lock()
	o.names = []string{"c"}
	o.mu.Unlock()
	o.next()
	await(t, "the new account", func() bool { return o.ran("reconcile c") == 1 })
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(s))
}
