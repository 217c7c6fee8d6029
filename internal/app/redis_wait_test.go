package app

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/errkind"
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
	cfg := Process{
		Config: &config.Config{Redis: config.Redis{URL: server.URL}}, Log: slog.New(slog.NewTextHandler(said, nil)),
	}
	err := new(Services).Reach(t.Context(), cfg, false, 4)
	if errkind.Of(err) != errkind.Unavailable || said.Load() != 0 {
		t.Errorf("with nothing to wait: %v, %d lines; want it to be unavailable and no line", err, said.Load())
	}
	cfg.WaitRedis = 10 * time.Minute
	done := make(chan error, 1)
	s := new(Services)
	go func() { done <- s.Reach(t.Context(), cfg, false, 4) }()
	for said.Load() < 1 {
		time.Sleep(10 * time.Millisecond)
	}
	server.Restart()
	if err := <-done; err != nil || said.Load() != 1 {
		t.Errorf("when it comes: %v, %d lines; want one line", err, said.Load())
	}
	s.Close()
}
