package main

import (
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/redistest"
)

// counter counts the lines that are written to it.
type counter struct{ atomic.Int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.Add(1)
	return len(b), nil
}

// A server role waits at its start for a Redis that is away and says so once; with no
// time to wait, as every other command, it fails at once.
func TestWaitForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Kill()
	said := new(counter)
	cfg := settings{
		Config: &config.Config{Redis: config.Redis{URL: server.URL}}, log: slog.New(slog.NewTextHandler(said, nil)),
	}
	err := new(services).reach(t.Context(), cfg, false, 4)
	if report(io.Discard, err) != exitUnavailable || said.Load() != 0 {
		t.Errorf("with nothing to wait: %v, %d lines; want exit %d and no line", err, said.Load(), exitUnavailable)
	}
	cfg.waitRedis = 10 * time.Minute
	done := make(chan error, 1)
	s := new(services)
	go func() { done <- s.reach(t.Context(), cfg, false, 4) }()
	for said.Load() < 1 {
		time.Sleep(10 * time.Millisecond)
	}
	server.Restart()
	if err := <-done; err != nil || said.Load() != 1 {
		t.Errorf("when it comes: %v, %d lines; want one line", err, said.Load())
	}
	s.Close()
}
