package app

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
)

// written is a buffer for a log.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *written) count(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.b.String(), text)
}

// A Redis that is away is said once, and once that it is back; what fails meanwhile for
// another reason is said all the same, and afterwards everything is.
func TestRedisAwayIsSaidOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	out := new(written)
	cfg := Process{Log: slog.New(slog.NewTextHandler(out, nil))}
	cfg.BriefOutages()
	o := server.Options()
	o.MaxRetries = -1
	rdb := redis.NewClient(o)
	t.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(cfg.outages)
	log := cfg.Log.With(slog.String("account", "acme"))
	vendor := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, Err: errors.New("connect: connection refused")}
	for outage := range 2 {
		if err := rdb.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		server.Kill()
		for range 20 {
			err := rdb.Ping(t.Context()).Err()
			_, pipelined := rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error { p.Ping(t.Context()); return nil })
			if err == nil || pipelined == nil {
				t.Fatal("a dead Redis answers")
			}
			if cfg.outages.away.Load() { // The first error may be a broken connection.
				log.Warn("step interrupted", slog.Any("error", fmt.Errorf("read: %w", err)))
				log.Error("asynq", slog.String("message", "Dequeue error: "+pipelined.Error()))
			}
		}
		log.Warn("vendor fails", slog.Any("error", vendor))
		server.Restart()
		for deadline := time.Now().Add(time.Minute); out.count("Redis is back") == outage; time.Sleep(10 * time.Millisecond) {
			_ = rdb.Ping(t.Context()).Err()
			if time.Now().After(deadline) {
				t.Fatal("Redis is never back")
			}
		}
		for text, want := range map[string]int{"Redis is away": 1, "Redis is back": 1, "vendor fails": 1, "interrupted": 0, "Dequeue": 0} {
			if n := out.count(text); n != want*(outage+1) {
				t.Errorf("%q stands there %d times after %d outages, want %d", text, n, outage+1, want*(outage+1))
			}
		}
	}
	log.Warn("step interrupted", slog.Any("error", errors.New("read: connect: connection refused")))
	if out.count("interrupted") != 1 || out.count("lines_left_out=0") != 0 {
		t.Errorf("the log is %q", out.b.String())
	}
}

// A log at debug level has every line.
func TestRedisAwayInDetail(t *testing.T) {
	t.Parallel()
	out := new(written)
	cfg := Process{Log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	cfg.BriefOutages()
	err := &net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: "/run/redis.sock", Net: "unix"}, Err: errors.New("connect: no such file or directory")}
	cfg.outages.learn(t.Context(), err)
	for range 3 {
		cfg.Log.Warn("step interrupted", slog.Any("error", err))
	}
	if out.count("Redis is away") != 1 || out.count("interrupted") != 3 {
		t.Errorf("the log is %q", out.b.String())
	}
}
