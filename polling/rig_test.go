package polling

import (
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

// rig is a store in a Redis of its own.
type rig struct {
	rdb     *redis.Client
	records *store.Records
	s       *Store
}

func newRig(t testing.TB) *rig {
	t.Helper()
	rdb := redistest.Client(t)
	records, err := store.NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{rdb, records, NewStore(rdb, records)}
}

func (r *rig) planner() *Planner {
	return NewPlanner(r.s, Config{Account: "acme", Price: time.Second, Logger: slog.New(slog.DiscardHandler)})
}
