package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
)

// freePort is a port without a listener.
func freePort(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestRedisCluster runs a service over a Redis Cluster, which refuses whatever touches
// the keys of two accounts or of two queues at once.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(time.Second))
	port := freePort(t)
	s.redis = redistest.Start(t, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", freePort(t))
	rdb := s.redis.Client()
	if err := rdb.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster is up", func() bool {
		return strings.Contains(rdb.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	})
	s.redis.URL = "redis-cluster://127.0.0.1:" + port
	s.start(s.shared("up", "--listen", "127.0.0.1:0")...).saysWhere()

	docs := s.documents("inbox", 4)
	ids := s.submit(sensibleAccount, "--batch", "b", docs[0].path, docs[1].path)
	ids = append(ids, s.submit(typlessAccount, "--batch", "b", "--customer", "c", docs[2].path, docs[3].path)...)
	s.run(s.shared("watch", "--batch", "b", "--timeout", "80s")...).want(t, 0)
	s.wantAll(ids, "SUCCESS")
	s.vendor.wantOnce(t, docs)
	if got := s.listed("--batch", "b"); len(got) != len(ids) {
		t.Errorf("listed %v, want %v", got, ids)
	}
	s.run(s.shared("delete", "--batch", "b", "--yes")...).want(t, 0)
	if got := s.listed("--batch", "b"); len(got) != 0 {
		t.Errorf("after the deletion %v are listed", got)
	}
}

// TestSentinelFailover loses the Redis that a service works with: the replica takes its
// place, and nothing is lost or sent twice.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(3*time.Second))
	at, sentinel := freePort(t), freePort(t)
	s.redis = redistest.Start(t, append(redistest.Durable(), "--port", at, "--bind", "127.0.0.1")...)
	redistest.Start(t, append(redistest.Durable(), "--port", freePort(t), "--bind", "127.0.0.1", "--replicaof", "127.0.0.1", at)...)
	file := s.write("sentinel.conf", fmt.Sprintf(`port %s
bind 127.0.0.1
dir %s
sentinel monitor mymaster 127.0.0.1 %s 1
sentinel down-after-milliseconds mymaster 1500
sentinel failover-timeout mymaster 5000
`, sentinel, s.dir, at))
	launch(t, exec.CommandContext(t.Context(), "redis-server", file, "--sentinel"))
	watcher := redis.NewSentinelClient(&redis.Options{Addr: "127.0.0.1:" + sentinel})
	t.Cleanup(func() { _ = watcher.Close() })
	eventually(t, "the sentinel knows the replica", func() bool {
		got, err := watcher.Replicas(t.Context(), "mymaster").Result()
		return err == nil && len(got) == 1 && got[0]["master-link-status"] == "ok"
	})
	first := s.redis.Client()
	s.redis.URL = "redis-sentinel://127.0.0.1:" + sentinel + "/0?master_name=mymaster"
	s.start(s.shared("up", "--listen", "127.0.0.1:0")...).saysWhere()

	docs := s.documents("inbox", 8)
	ids := s.submit(sensibleAccount, paths(docs[:3])...)
	ids = append(ids, s.submit(typlessAccount, paths(docs[3:6])...)...)
	eventually(t, "all are at the vendor", func() bool { return len(s.vendor.takenBy()) == 6 })
	eventually(t, "and noted", func() bool {
		return len(s.listed("--status", "IN_PROGRESS"))+len(s.listed("--status", "SUCCESS")) == 6
	})
	// What the replica has not got yet would be lost with the first one.
	if err := first.Set(t.Context(), "test", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := first.Wait(t.Context(), 1, time.Minute).Result(); n != 1 || err != nil {
		t.Fatalf("%d replicas have it, %v", n, err)
	}
	s.redis.Kill()
	eventually(t, "the replica takes over", func() bool {
		now, err := watcher.GetMasterAddrByName(t.Context(), "mymaster").Result()
		return err == nil && now[1] != at
	})
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(t, 0)
	more := s.submit(sensibleAccount, paths(docs[6:])...)
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, more...)...)...).want(t, 0)
	s.wantAll(append(ids, more...), "SUCCESS")
	s.vendor.wantOnce(t, docs)
}
