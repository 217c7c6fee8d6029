package scheduler

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/tasks"
)

// Several schedulers that see the same slots give one run for each account and
// slot, also when the run is over before the last of them asks.
func TestOneRunPerSlot(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	accounts := []string{"a", "b"}
	var mu sync.Mutex
	runs, expired := map[string]int{}, 0
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency: 4, Queues: map[string]int{tasks.SystemQueue: 1}, TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	count := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range runs {
			n += c
		}
		return n
	}
	err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		if task.Type() == tasks.TypeExpire {
			mu.Lock()
			defer mu.Unlock()
			expired++
			return nil
		}
		p, err := tasks.DecodeTick(task)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		runs[p.Account]++
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	const schedulers, slots = 4, 3
	begin := time.Unix(1_800_000_000, 0)
	for slot := range slots {
		for i := range schedulers {
			s := New(Config{Redis: rdb, Accounts: accounts, Logger: slog.New(slog.DiscardHandler)})
			// Each looks at its own moment of the slot.
			if err := s.runOnce(t.Context(), begin.Add(time.Duration(slot)*Interval+time.Duration(i)*Interval/schedulers)); err != nil {
				t.Fatal(err)
			}
			want := (slot + 1) * len(accounts)
			await(t, "the run of the slot", func() bool { return count() >= want })
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, a := range accounts {
		if runs[a] != slots {
			t.Errorf("%d runs for %s, want %d", runs[a], a, slots)
		}
	}
	if expired != 1 {
		t.Errorf("the document store was looked through %d times in an hour, want once", expired)
	}
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

// Run ticks at once, goes on over trouble, and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var out lockedBuffer
	s := New(Config{Redis: rdb, Accounts: []string{"a"}, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err := rdb.Set(t.Context(), "asynq:queues", "not a set", 0).Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	await(t, "the warning", func() bool { return out.contains("tick not enqueued") })
	if err := rdb.Del(t.Context(), "asynq:queues").Err(); err != nil {
		t.Fatal(err)
	}
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	await(t, "the next tick", func() bool {
		info, err := inspector.GetQueueInfo(tasks.SystemQueue)
		return err == nil && info.Size > 0
	})
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Run does not end with its context")
	}
}

// Those that have extractions are looked after beside those of the configuration,
// which may change, each once; where they cannot be read, the others are.
func TestAccounts(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var err error
	s := New(Config{
		Redis: rdb, Accounts: []string{"b", "a"}, Logger: slog.New(slog.DiscardHandler),
		Registered: func(context.Context) ([]string, error) { return []string{"gone", "a"}, err },
	})
	at := time.Unix(1_800_000_000, 0)
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	want := func(want ...string) {
		t.Helper()
		if got := s.runOnce(t.Context(), at); !errors.Is(got, err) {
			t.Errorf("runOnce = %v, want %v", got, err)
		}
		at = at.Add(Interval)
		waiting, err := inspector.ListPendingTasks(tasks.SystemQueue)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, task := range waiting {
			if task.Type != tasks.TypeReconcile {
				continue
			}
			p, err := tasks.DecodeTick(asynq.NewTask(task.Type, task.Payload))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p.Account)
			if err := inspector.DeleteTask(tasks.SystemQueue, task.ID); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("ticks for %q, want %q", got, want)
		}
	}
	want("a", "b", "gone")
	s.Reload([]string{"c"})
	want("a", "c", "gone")
	err = errors.New("redis is away")
	want("c")
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

// The lists of an account are read as often as the workers want it, by one of several
// schedulers, and not where nobody wants it.
func TestSweeps(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	every := map[string]time.Duration{"a": 2 * time.Second, "b": 0, "c": time.Second}
	var all []*Scheduler
	for range 3 {
		all = append(all, New(Config{
			Redis: rdb, Accounts: []string{"a", "b", "c"}, Logger: slog.New(slog.DiscardHandler),
			Sweeps: func(_ context.Context, account string) (time.Duration, error) {
				if account == "b" {
					return 0, errors.New("Redis is away")
				}
				return every[account], nil
			},
		}))
	}
	begin := time.Unix(1_800_000_000, 0)
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	got := map[string]int{}
	for n := range 4 {
		for _, s := range all {
			if err := s.sweeps(t.Context(), begin.Add(time.Duration(n)*time.Second)); err == nil {
				t.Error("what went wrong for b is not said")
			}
		}
		pending, err := inspector.ListPendingTasks(tasks.SystemQueue)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range pending {
			if task.Type != tasks.TypeSweep {
				t.Errorf("a task of type %s", task.Type)
			}
			got[strings.Split(task.ID, ":")[1]]++
			if err := inspector.ArchiveTask(tasks.SystemQueue, task.ID); err != nil { // It is taken up, and ends.
				t.Fatal(err)
			}
		}
	}
	if got["a"] != 2 || got["c"] != 4 || len(got) != 2 {
		t.Errorf("in four seconds %v, want two for a and four for c", got)
	}
}

// While nobody takes them up, the readings of an account do not pile up.
func TestSweepsDoNotPileUp(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	s := New(Config{
		Redis: rdb, Accounts: []string{"a"}, Logger: slog.New(slog.DiscardHandler),
		Sweeps: func(context.Context, string) (time.Duration, error) { return time.Second, nil },
	})
	begin := time.Unix(1_800_000_000, 0)
	for n := range 20 {
		if err := s.sweeps(t.Context(), begin.Add(time.Duration(n)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	pending, err := asynq.NewInspectorFromRedisClient(rdb).ListPendingTasks(tasks.SystemQueue)
	if err != nil || len(pending) != 1 {
		t.Errorf("after twenty seconds %d wait, %v", len(pending), err)
	}
}
