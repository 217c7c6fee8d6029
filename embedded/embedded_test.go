package embedded

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/internal/wait"
)

// open starts an embedded Redis with the real program, closed with the test.
func open(t *testing.T, dir string) *Redis {
	t.Helper()
	redistest.Require(t)
	leaveNone(t, dir)
	r, err := Start(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// leaveNone ends a server that a failed test leaves behind.
func leaveNone(t *testing.T, dir string) {
	t.Helper()
	p, err := newLocation(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.shutdown() })
}

func closeRedis(t *testing.T, r *Redis) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func set(t *testing.T, r *Redis) {
	t.Helper()
	if err := connect(t, r.URL).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
}

// wantValue checks that what set wrote is there.
func wantValue(t *testing.T, r *Redis) {
	t.Helper()
	if got, err := connect(t, r.URL).Get(t.Context(), "k").Result(); err != nil || got != "v" {
		t.Errorf("k = %q, %v, want v", got, err)
	}
}

func wantGone(t *testing.T, dir string) {
	t.Helper()
	if url, err := Find(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Find after the last Close = %q, %v, want ErrNotRunning", url, err)
	}
}

// pid is the server's process.
func pid(t *testing.T, r *Redis) int {
	t.Helper()
	info, err := connect(t, r.URL).Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "process_id:")
	number, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !condition() {
		if wait.For(ctx, lookAgain) != nil {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestDataOutlivesTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	if !r.Persistent {
		t.Error("Persistent = false, want true")
	}
	set(t, r)
	if url, err := Find(t.Context(), dir); err != nil || url != r.URL {
		t.Errorf("Find() = %q, %v, want %q", url, err, r.URL)
	}
	closeRedis(t, r)
	wantGone(t, dir)

	again := open(t, dir)
	defer closeRedis(t, again)
	wantValue(t, again)
}

func TestServerIsConfiguredForQueues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	defer closeRedis(t, r)
	c := connect(t, r.URL)
	for name, want := range map[string]string{
		"port": "0", "appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": "", "unixsocketperm": "700",
	} {
		if got, err := c.ConfigGet(t.Context(), name).Result(); err != nil || got[name] != want {
			t.Errorf("%s = %q, %v, want %q", name, got[name], err, want)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "redis"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode of the directory = %v, %v, want 0700", info.Mode(), err)
	}
}

func TestKilledServerIsStartedAgain(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	defer closeRedis(t, r)
	set(t, r)
	before := pid(t, r)
	server, err := os.FindProcess(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new server answers", func() bool {
		s, _ := r.location.look(t.Context())
		return s == answering
	})
	if after := pid(t, r); after == before {
		t.Errorf("pid = %d as before", after)
	}
	wantValue(t, r)
}

func TestLastUserEndsTheServer(t *testing.T) {
	t.Parallel()
	for name, ownerFirst := range map[string]bool{"owner closes first": true, "owner closes last": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			owner, adopter := open(t, dir), open(t, dir)
			if !adopter.Persistent || adopter.URL != owner.URL {
				t.Errorf("adopted = %+v, want the owner's %s", adopter, owner.URL)
			}
			first, last := adopter, owner
			if ownerFirst {
				first, last = owner, adopter
			}
			closeRedis(t, first)
			set(t, last)
			wantValue(t, last)
			closeRedis(t, last)
			wantGone(t, dir)
			if lock, ok, err := tryLock(last.location.serverLock(), exclusive); err != nil || !ok {
				t.Errorf("the server's lock is still held: %v", err)
			} else if err := lock.release(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRacingStartersShareOneServer(t *testing.T) {
	t.Parallel()
	redistest.Require(t)
	const starters = 8
	dir := t.TempDir()
	leaveNone(t, dir)
	all := make([]*Redis, starters)
	var racing sync.WaitGroup
	for i := range all {
		racing.Go(func() {
			r, err := Start(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Errorf("Start() = %v", err)
			}
			all[i] = r
		})
	}
	racing.Wait()
	if t.Failed() {
		t.FailNow()
	}
	pids, owners := map[int]bool{}, 0
	for _, r := range all {
		pids[pid(t, r)] = true
		if r.owned != nil {
			owners++
		}
	}
	if len(pids) != 1 || owners != 1 {
		t.Errorf("servers = %v, owners = %d, want one of each", pids, owners)
	}
	for _, r := range all {
		racing.Go(func() { closeRedis(t, r) })
	}
	racing.Wait()
	wantGone(t, dir)
}

func TestAwkwardDirectories(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sub    string
		inside bool
	}{
		"special characters": {"a b?c#d%20", true},
		"too long":           {strings.Repeat("long/", 20), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, err := os.MkdirTemp("/tmp", "e") //nolint:usetesting // t.TempDir is too long for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(base) })
			dir := filepath.Join(base, tt.sub)
			r := open(t, dir)
			set(t, r)
			socket := r.location.socket()
			if got := strings.HasPrefix(socket, dir); got != tt.inside || len(socket) > maxSocketPath {
				t.Errorf("socket = %s, want inside %s: %t", socket, dir, tt.inside)
			}
			adopted := open(t, dir)
			wantValue(t, adopted)
			closeRedis(t, adopted)
			closeRedis(t, r)
			wantGone(t, dir)
			if tt.inside {
				return
			}
			if _, err := os.Stat(filepath.Dir(socket)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket's directory is still there: %v", err)
			}
		})
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := makeLocation(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{p.record(): "/nowhere/redis.sock\n", filepath.Join(p.dir, "redis.sock"): ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantGone(t, dir)
	r := open(t, dir)
	defer closeRedis(t, r)
	set(t, r)
}

func TestServerThatCannotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(t.TempDir(), "redis-server")
	script := "#!/bin/sh\necho 'Bad file format' >" + filepath.Join(dir, "redis", "redis.log") + "\nexit 1\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := start(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)}, program)
	if err == nil || !strings.Contains(err.Error(), "ended at once (exit status 1): Bad file format") {
		t.Errorf("start() = %v, want the server's last words", err)
	}
	r := open(t, dir) // nothing is locked
	closeRedis(t, r)
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := makeLocation(dir)
	if err != nil {
		t.Fatal(err)
	}
	lock, ok, err := tryLock(p.serverLock(), exclusive) // as a server that is frozen
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := start(ctx, Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)}, "redis-server"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("start() = %v, want DeadlineExceeded", err)
	}
	if err := lock.release(); err != nil {
		t.Error(err)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log bytes.Buffer
	cfg := Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	r, err := start(t.Context(), cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Persistent || strings.Count(log.String(), "in memory only") != 1 {
		t.Errorf("Persistent = %t, log:\n%s", r.Persistent, log.String())
	}
	set(t, r)
	other, err := start(t.Context(), cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	if other.Persistent {
		t.Error("an adopted Redis in memory says it is persistent")
	}
	wantValue(t, other)
	closeRedis(t, other)
	wantValue(t, r)

	c := connect(t, r.URL)
	if err := c.Set(t.Context(), "short", "v", 30*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a key expires", func() bool { return c.Exists(t.Context(), "short").Val() == 0 })
	closeRedis(t, r)
	wantGone(t, dir)
}

// TestMemoryWithManyKeys must not look at all of them at every command.
func TestMemoryWithManyKeys(t *testing.T) {
	dir := t.TempDir()
	r, err := start(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer closeRedis(t, r)
	c := connect(t, r.URL)
	var pairs []any
	for i := range 20_000 {
		pairs = append(pairs, strconv.Itoa(i), "v")
	}
	if err := c.MSet(t.Context(), pairs...).Err(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	for range 200 {
		if err := c.Get(t.Context(), "1").Err(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	took := time.Since(began)
	// A look at all keys takes 320 kB; the clock takes one four times a second.
	looks := uint64(200/10) + uint64(took/tick) + 1
	if used := after.TotalAlloc - before.TotalAlloc; used > looks*320_000 {
		t.Errorf("200 commands over 20,000 keys used %d kB in %v", used/1000, took)
	}
}

func TestChildrenGetNoSecrets(t *testing.T) {
	t.Setenv("SENSIBLE_API_KEY", "sk_live")
	if got := strings.Join(environment(), " "); strings.Contains(got, "sk_live") {
		t.Errorf("environment() = %s", got)
	}
}
