package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// FreePort is a port without a listener.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It closes at once.
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// StartCluster runs the masters of a Redis Cluster and returns them with their ports. args
// returns what each is started with beside that, for its port.
func StartCluster(t testing.TB, masters int, args func(port string) []string) (servers []*Server, ports []string) {
	t.Helper()
	for range masters {
		port := FreePort(t)
		s := Start(t, append(args(port), "--cluster-enabled", "yes", "--cluster-port", FreePort(t), "--cluster-node-timeout", "5000")...)
		servers, ports = append(servers, s), append(ports, port)
	}
	ctx := t.Context()
	var clients []*redis.Client
	for i, s := range servers {
		c := s.Client()
		clients = append(clients, c)
		if err := c.ClusterAddSlotsRange(ctx, 16384*i/masters, 16384*(i+1)/masters-1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range clients[1:] {
		bus := ""
		for j, a := range servers[i+1].args {
			if a == "--cluster-port" {
				bus = servers[i+1].args[j+1]
			}
		}
		if err := clients[0].Do(ctx, "CLUSTER", "MEET", "127.0.0.1", ports[i+1], bus).Err(); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the cluster is up", func() bool {
		for _, c := range clients {
			info := c.ClusterInfo(ctx).Val()
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", masters)) {
				return false
			}
		}
		return true
	})
	return servers, ports
}

// StartSentinel runs one Sentinel that watches a master and knows its replica. settings are
// lines of its configuration beside that, where it has to say who it is; port is "0" where
// they name another. client asks it.
func StartSentinel(t testing.TB, port, master string, settings []string, client *redis.Options) *redis.SentinelClient {
	t.Helper()
	Require(t)
	dir := tempDir(t)
	file := filepath.Join(dir, "sentinel.conf")
	text := strings.Join(append([]string{
		"port " + port, "bind 127.0.0.1", "dir " + dir, "logfile " + filepath.Join(dir, "sentinel.log"),
		"sentinel monitor mymaster 127.0.0.1 " + master + " 1",
		"sentinel down-after-milliseconds mymaster 1500", "sentinel failover-timeout mymaster 5000",
	}, settings...), "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := start(exec.Command("redis-server", file, "--sentinel")) //nolint:noctx // It is killed at the end.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	c := redis.NewSentinelClient(client)
	t.Cleanup(func() { _ = c.Close() })
	until(t, "the sentinel knows the replica", func() bool {
		got, err := c.Replicas(t.Context(), "mymaster").Result()
		return err == nil && len(got) == 1 && got[0]["master-link-status"] == "ok"
	})
	return c
}

// Follows returns when a replica has what its master had.
func Follows(t testing.TB, replica *redis.Client) {
	t.Helper()
	until(t, "the replica follows", func() bool {
		return strings.Contains(replica.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
}

func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
