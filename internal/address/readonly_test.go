package address

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
)

// The master becomes a replica while a proxy before it leads to the new one, and keeps the
// connections that it has: the next try reaches the new one, whatever the proxy makes of
// Redis's words.
func TestMasterBecomesReplica(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"-READONLY ", "-ERR READONLY ", "-ERR Error running script: -READONLY "} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			before, after := redistest.Start(t), redistest.Start(t)
			relay := redistest.NewRelay(t, before)
			relay.Rewrite("-READONLY ", words)
			rdb, err := NewClient(Server{URL: relay.URL}, 32)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = rdb.Close() })
			script := redis.NewScript(`return redis.call('SET', KEYS[1], ARGV[1])`)
			writes := func(n int) error {
				errs := make(chan error, n)
				var all sync.WaitGroup
				for i := range n {
					all.Go(func() {
						if i%2 == 0 {
							errs <- rdb.Set(t.Context(), fmt.Sprint(i), i, 0).Err()
						} else {
							errs <- script.Run(t.Context(), rdb, []string{fmt.Sprint(i)}, i).Err()
						}
					})
				}
				all.Wait()
				close(errs)
				for err := range errs {
					if err != nil {
						return err
					}
				}
				return nil
			}
			if err := writes(64); err != nil {
				t.Fatal(err)
			}
			if n := rdb.PoolStats().TotalConns; n < 3 {
				t.Fatalf("%d connections, which proves nothing", n)
			}
			if err := before.Client().Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
				t.Fatal(err)
			}
			if err := rdb.Set(t.Context(), "x", 1, 0).Err(); err == nil || !strings.Contains(err.Error(), "READONLY") {
				t.Errorf("nothing leads to the new one yet: %v", err)
			}
			relay.Lead(after)
			_, _ = rdb.TxPipelined(t.Context(), func(p redis.Pipeliner) error { return p.Set(t.Context(), "x", 1, 0).Err() })
			if _, err := rdb.TxPipelined(t.Context(), func(p redis.Pipeliner) error { return p.Set(t.Context(), "x", 1, 0).Err() }); err != nil {
				t.Errorf("the second transaction: %v", err)
			}
			if err := writes(64); err != nil {
				t.Errorf("after the change: %v", err)
			}
			if n, err := after.Client().DBSize(t.Context()).Result(); err != nil || n != 65 {
				t.Errorf("the new one holds %d keys, %v", n, err)
			}
		})
	}
}
