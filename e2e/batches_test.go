package e2e

import (
	"encoding/json"
	"net/http"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction/protocol"
)

// The counts of a batch outlive its extractions by the retention, and then the API and the
// commands know it no more: with a redis-server, and with the Redis in memory.
func TestBatchGoesWithItsRetention(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*site){"redis-server": func(*site) {}, "in memory": (*site).withoutServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(0))
			arrange(s)
			docs := s.documents("inbox", 2)
			up := s.start("up", "--listen", "127.0.0.1:0")
			up.says("worker started")
			server := s.start("api", "--listen", "127.0.0.1:0")
			api := server.saysAPI()
			for _, account := range []string{sensibleAccount, typlessAccount} {
				s.run(append([]string{"submit", "--account", account, "--type", "tax_forms", "--batch", "b", "--wait"}, paths(docs)...)...).want(t, 0)
			}
			asked := func(path string, into any) int {
				t.Helper()
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = answer.Body.Close() }()
				if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
					t.Fatal(err)
				}
				return answer.StatusCode
			}
			extractions := func() int {
				var page protocol.Page
				asked("/v1/extractions?batch=b", &page)
				return len(page.Extractions)
			}
			s.run("delete", "--batch", "b", "--yes").want(t, 0)
			if n := extractions(); n != 0 {
				t.Errorf("after their deletion there are %d extractions", n)
			}
			var b protocol.Batch
			if code := asked("/v1/batches/b", &b); code != http.StatusOK || b.Total != 4 || b.Percent != 100 {
				t.Errorf("within the retention of its counts: %d %+v, want 4, all of them final", code, b)
			}
			var all protocol.BatchPage
			if asked("/v1/batches", &all); len(all.Batches) != 1 || all.Batches[0].Total != 4 {
				t.Errorf("listed are %+v, want b with 4", all.Batches)
			}
			rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: s.ownRedis()[0], DisableIdentity: true})
			defer func() { _ = rdb.Close() }()
			for _, account := range []string{sensibleAccount, typlessAccount} { // The retention passes.
				if n, err := rdb.ZAddXX(t.Context(), "extractq:{"+account+"}:emptied", redis.Z{Score: 1, Member: "b"}).Result(); n != 0 || err != nil {
					t.Fatalf("%d, %v", n, err)
				}
			}
			eventually(t, "the counts go", func() bool { return asked("/v1/batches/b", &struct{}{}) == http.StatusNotFound })
			if asked("/v1/batches", &all); len(all.Batches) != 0 {
				t.Errorf("still listed are %+v", all.Batches)
			}
			s.run("watch", "--batch", "b", "--timeout", "30s").want(t, 1)
			s.run("list", "--batch", "b").want(t, 0)
			s.run("submit", "--account", sensibleAccount, "--type", "tax_forms", "--batch", "b", "--wait", docs[0].path).want(t, 0)
			if code := asked("/v1/batches/b", &b); code != http.StatusOK || b.Total != 1 {
				t.Errorf("begun anew: %d %+v, want 1", code, b)
			}
			for _, p := range []*process{server, up} {
				p.signal(syscall.SIGTERM)
				p.wait().want(t, 0)
			}
		})
	}
}
