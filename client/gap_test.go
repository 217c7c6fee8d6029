package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/internal/redistest"
)

// A stream that is taken up behind what the server still keeps says which account has
// changes that were missed, and goes on.
func TestEventsMissed(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	s, err := serve(rdb, t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c := newClient(t, s.url, key)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	submit := func() string {
		t.Helper()
		return must[client.Extraction](t, "Submit")(c.Submit(ctx, form("b"))).ID
	}
	first, place := submit(), ""
	for ev, err := range c.Events(ctx, client.EventFilter{Listening: func() { go submit() }}) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Missed != "" || ev.Extraction.ID == first {
			t.Errorf("a new stream begins with %+v", ev)
		}
		place = ev.ID
		break
	}
	streams, err := rdb.Keys(ctx, "*{acme}*:ev").Result()
	if err != nil || len(streams) != 1 {
		t.Fatalf("streams %q, %v", streams, err)
	}
	pipe := rdb.Pipeline()
	for range 12_000 {
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: streams[0], Values: []any{"id", "gone", "status", "QUEUED"}})
	}
	pipe.XTrimMaxLen(ctx, streams[0], 10_000)
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	next, missed := submit(), ""
	for ev, err := range c.Events(ctx, client.EventFilter{After: place}) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Missed != "" {
			missed = ev.Missed
			continue
		}
		if missed != "acme" || ev.Extraction.ID != next {
			t.Errorf("missed %q, then %s; want acme, then %s", missed, ev.Extraction.ID, next)
		}
		break
	}
}
