package embedded

import (
	"context"
	"strings"
	"time"
)

const (
	// compactTimeout bounds the rewrite at the end: a first Ctrl-C leaves 5 s for
	// everything.
	compactTimeout = time.Second
	compactEvery   = 10 * time.Millisecond
)

// compact rewrites the append-only file to the server's present data, so that what was
// erased from Redis, signed upload URLs above all, is gone from the disk as well. It is
// best effort; an in-memory server has no such file.
func (p location) compact() {
	ctx, cancel := context.WithTimeout(context.Background(), compactTimeout)
	defer cancel()
	socket := p.socket()
	if socket == "" {
		return
	}
	c := client(socket)
	defer func() { _ = c.Close() }()
	if err := c.BgRewriteAOF(ctx).Err(); err != nil {
		return
	}
	tick := time.NewTicker(compactEvery)
	defer tick.Stop()
	for {
		info, err := c.Info(ctx, "persistence").Result()
		if err != nil || strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0") {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
