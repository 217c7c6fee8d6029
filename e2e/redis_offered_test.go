package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/redistest"
)

// hardPassword is one that no URL takes as it is.
const hardPassword = "p@ss:/#%w"

// documentedUsers are the commands for Redis users in docs/operating.md: for servers with
// data, and for Sentinels.
func documentedUsers(t *testing.T) (server, sentinel []any) {
	t.Helper()
	text, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	var found [][]any
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "ACL SETUSER extractq ") {
			var words []any
			for w := range strings.FieldsSeq(strings.ReplaceAll(line, ">PASSWORD", ">"+hardPassword)) {
				words = append(words, w)
			}
			found = append(found, words)
		}
	}
	if len(found) != 2 {
		t.Fatalf("docs/operating.md has %d users, want 2", len(found))
	}
	return found[0], found[1]
}

// restrict leaves a server with the documented user, and a default user with a password of
// its own.
func restrict(t *testing.T, s *redistest.Server, user []any, more ...any) {
	t.Helper()
	rdb := s.Client()
	if err := rdb.Do(t.Context(), append(user, more...)...).Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.ConfigSet(t.Context(), "requirepass", "another").Err(); err != nil {
		t.Fatal(err)
	}
}

// withRedis writes what the site's Redis asks for into its configuration file.
func (s *site) withRedis(c redistest.Certificates, more string) {
	s.t.Helper()
	file := s.write("redis-password", hardPassword+"\n")
	s.write("extractq.yaml", s.read("extractq.yaml")+fmt.Sprintf(
		"redis: {username: extractq, password: %q, tls: {ca_file: %q, cert_file: %q, key_file: %q}%s}\n",
		"${file:"+file+"}", c.CAFile, c.ClientCertFile, c.ClientKeyFile, more))
}

// wantNoRefusal fails the test if a server refused something to its user: NOPERM is often
// not said aloud.
func wantNoRefusal(t *testing.T, servers ...*redistest.Server) {
	t.Helper()
	for _, s := range servers {
		o := s.Options()
		o.Password = "another"
		rdb := redis.NewClient(o)
		log, err := rdb.ACLLog(t.Context(), 100).Result()
		if err != nil {
			t.Error(err)
		}
		for _, e := range log {
			t.Errorf("refused (%s) to %s: %s", e.Reason, e.Username, e.Object)
		}
		if err := rdb.Close(); err != nil {
			t.Error(err)
		}
	}
}

// story uses most of what a service does with Redis.
func (s *site) story() {
	s.t.Helper()
	up := s.start(s.shared("up", "--listen", "127.0.0.1:0")...)
	up.saysWhere()
	docs := s.documents("inbox", 6)
	s.run(s.shared("accounts", "pause", sensibleAccount)...).want(s.t, 0)
	ids := s.submit(sensibleAccount, "--batch", "b", docs[0].path, docs[1].path)
	canceled := s.submit(sensibleAccount, "--batch", "b", docs[2].path)
	s.run(s.shared("cancel", canceled[0])...).want(s.t, 0)
	s.run(s.shared("accounts", "resume", sensibleAccount)...).want(s.t, 0)
	ids = append(ids, s.submit(typlessAccount, "--batch", "b", "--customer", "c", "--priority", "bulk", docs[3].path, docs[4].path)...)
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(s.t, 0)
	s.wantAll(ids, "SUCCESS")
	s.run(s.shared("result", ids[0])...).want(s.t, 0)
	retried := lines(s.run(s.shared("retry", "--yes", canceled[0])...).want(s.t, 0).stdout)
	s.run(s.shared("watch", "--batch", "b", "--timeout", "80s")...)
	if len(retried) == 0 || len(s.listed("--batch", "b", "--status", "SUCCESS")) != 5 {
		s.t.Errorf("retried %v, listed %v", retried, s.listed("--batch", "b"))
	}
	s.run(s.shared("accounts")...).want(s.t, 0)
	s.run(s.shared("run", "--account", typlessAccount, "--type", "tax_forms", "--out", s.path("out"), docs[5].path)...).want(s.t, 0)
	s.run(s.shared("delete", "--batch", "b", "--yes")...).want(s.t, 0)
	for _, text := range []string{up.stderr.String(), up.stdout.String()} {
		if strings.Contains(text, hardPassword) || strings.Contains(text, "NOPERM") {
			s.t.Errorf("the service says %s", tail(text))
		}
	}
}

// TestUserWithLeastRights works over TLS as a user with exactly the documented rights.
func TestUserWithLeastRights(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	certs, port := redistest.NewCertificates(t), freePort(t)
	s.redis = redistest.Start(t, append(redistest.Durable(), certs.Args(port, true)...)...)
	user, _ := documentedUsers(t)
	restrict(t, s.redis, user)
	s.redis.URL = "rediss://127.0.0.1:" + port + "/0"
	s.withRedis(certs, "")
	d := s.diagnose(0, s.shared()...)
	for _, check := range []string{"redis", "redis access", "redis channels", "redis persistence", "redis memory", "redis clock"} {
		d.want(t, check, "ok", "")
	}
	s.story()
	wantNoRefusal(t, s.redis)

	// Each right is needed, and the doctor finds the ones that are missing.
	o := s.redis.Options()
	o.Password = "another"
	rdb := redis.NewClient(o)
	t.Cleanup(func() { _ = rdb.Close() })
	for _, step := range []struct {
		change             string
		code               int
		check, state, says string
	}{
		{"-info", 0, "redis", "note", "+info +config|get"},
		{"+info -config|get", 0, "redis persistence", "note", "+config|get"},
		{"+config|get resetchannels &extractq:bell", 2, "redis channels", "fix", "asynq:cancel"},
		{"resetchannels &asynq:cancel", 2, "redis channels", "fix", "extractq:bell"},
		{"&extractq:bell resetkeys ~extractq:*", 2, "redis access", "fix", "NOPERM"},
		{"~asynq:* -time", 2, "redis access", "fix", "docs/operating.md"},
		{"+time -ping", 2, "redis", "fix", "docs/operating.md"},
		{"+ping resetpass >other", 2, "redis", "fix", "password is wrong"},
	} {
		words := []any{"ACL", "SETUSER", "extractq"}
		for w := range strings.FieldsSeq(step.change) {
			words = append(words, w)
		}
		if err := rdb.Do(t.Context(), words...).Err(); err != nil {
			t.Fatal(err)
		}
		s.diagnose(step.code, s.shared()...).want(t, step.check, step.state, step.says)
	}
}

// TestDoctorNamesTheCause tells apart why a Redis cannot be used.
func TestDoctorNamesTheCause(t *testing.T) {
	t.Parallel()
	certs, port := redistest.NewCertificates(t), freePort(t)
	server := redistest.Start(t, certs.Args(port, false)...)
	open := freePort(t)
	redistest.Start(t, "--port", open, "--bind", "127.0.0.1")
	user, _ := documentedUsers(t)
	restrict(t, server, user)
	for name, test := range map[string]struct {
		url, more   string
		code        int
		state, says string
	}{
		"unknown authority": {"rediss://127.0.0.1:" + port, "password: x", 2, "fix", "redis.tls.ca_file"},
		"wrong password":    {"rediss://127.0.0.1:" + port, "username: extractq, password: x, tls: {ca_file: '" + certs.CAFile + "'}", 2, "fix", "password is wrong"},
		"no password":       {"rediss://127.0.0.1:" + port, "tls: {ca_file: '" + certs.CAFile + "'}", 2, "fix", "redis.password"},
		"other name":        {"rediss://127.0.0.1:" + port, "tls: {server_name: other.test, ca_file: '" + certs.CAFile + "'}", 2, "fix", "redis.tls.server_name"},
		"TLS port":          {"redis://127.0.0.1:" + port, "", 2, "fix", "it speaks TLS"},
		"port without TLS":  {"rediss://127.0.0.1:" + open, "", 2, "fix", "does not speak TLS"},
		"dead host":         {"rediss://127.0.0.1:" + freePort(t), "password: '" + hardPassword + "'", 3, "away", "does not answer"},
		"not compared":      {"rediss://extractq:p%40ss%3A%2F%23%25w@127.0.0.1:" + port + "?skip_verify=true", "", 2, "ok", "answers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(0))
			s.write("extractq.yaml", s.read("extractq.yaml")+"redis: {url: '"+test.url+"', "+test.more+"}\n")
			d := s.diagnose(test.code)
			d.want(t, "redis", test.state, test.says)
			if name == "not compared" {
				d.want(t, "redis again", "note", "redis.tls.ca_file")
			}
		})
	}
}

// TestSecuredCluster works with a Cluster of three masters over TLS, with users.
func TestSecuredCluster(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	certs := redistest.NewCertificates(t)
	servers, ports := redistest.StartCluster(t, 3, func(port string) []string {
		return append(redistest.Durable(), certs.Args(port, true)...)
	})
	user, _ := documentedUsers(t)
	for _, server := range servers {
		restrict(t, server, user, "+cluster|slots", "+cluster|shards", "+cluster|nodes")
	}
	s.redis = servers[0]
	s.redis.URL = "rediss-cluster://127.0.0.1:" + ports[0] + "?addr=127.0.0.1:" + ports[1]
	s.withRedis(certs, "")
	s.story()
	wantNoRefusal(t, servers...)
	said := s.run(s.shared("doctor")...).want(t, 0).stdout
	for _, port := range ports {
		if !strings.Contains(said, "127.0.0.1:"+port+" answers: Redis") {
			t.Errorf("the doctor does not name %s:\n%s", port, said)
		}
	}
}

// TestSecuredSentinel loses the master behind a Sentinel, all over TLS and with users, right
// after documents were accepted: with wait_replicas none is lost.
func TestSecuredSentinel(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	certs := redistest.NewCertificates(t)
	user, sentinelUser := documentedUsers(t)
	at, replicaAt, sentinel := freePort(t), freePort(t), freePort(t)
	durable := append(redistest.Durable(), "--repl-diskless-sync-delay", "0")
	s.redis = redistest.Start(t, append(durable, certs.Args(at, true)...)...)
	replica := redistest.Start(t, append(append(durable, certs.Args(replicaAt, true)...), "--replicaof", "127.0.0.1", at)...)
	settings := []string{"port 0", "tls-port " + sentinel}
	tlsArgs := certs.Args(sentinel, true)
	for i := 0; i < len(tlsArgs); i += 2 {
		if name := strings.TrimPrefix(tlsArgs[i], "--"); strings.HasPrefix(name, "tls-") && name != "tls-port" && name != "tls-cluster" {
			settings = append(settings, name+" "+tlsArgs[i+1])
		}
	}
	text := make([]string, 0, len(sentinelUser))
	for _, w := range sentinelUser[2:] {
		text = append(text, w.(string))
	}
	settings = append(settings, "user "+strings.Join(text, " "), "user default on >another ~* &* +@all")
	watcher := redistest.StartSentinel(t, "0", at, settings, &redis.Options{
		Addr: "127.0.0.1:" + sentinel, Password: "another", TLSConfig: clientTLS(t, certs),
	})
	for _, server := range []*redistest.Server{s.redis, replica} { // The default user stays the Sentinel's and the replica's.
		if err := server.Client().Do(t.Context(), user...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	first := s.redis
	s.redis.URL = "rediss-sentinel://extractq:p%40ss%3A%2F%23%25w@127.0.0.1:" + sentinel + "/0?master_name=mymaster"
	s.withRedis(certs, ", wait_replicas: 1")
	s.diagnose(0, s.shared()...).want(t, "redis replicas", "ok", "has 1")
	s.start(s.shared("up", "--listen", "127.0.0.1:0")...).saysWhere()
	s.run(s.shared("accounts", "pause", sensibleAccount)...).want(t, 0)
	docs := s.documents("inbox", 8)
	ids := s.submit(sensibleAccount, paths(docs[:6])...)
	first.Kill() // At once: nothing waits for the replica here.
	eventually(t, "the replica takes over", func() bool {
		now, err := watcher.GetMasterAddrByName(t.Context(), "mymaster").Result()
		return err == nil && now[1] == replicaAt
	})
	eventually(t, "the service goes on", func() bool {
		return s.run(s.shared("accounts", "resume", sensibleAccount)...).code == 0
	})
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(t, 0)
	s.wantAll(ids, "SUCCESS")

	// Without a replica nothing counts as accepted.
	r := s.run(s.shared("submit", "--account", sensibleAccount, "--type", "tax_forms", docs[6].path)...).want(t, 3)
	if !strings.Contains(r.stderr, "replicas") {
		t.Errorf("stderr %q, want it to say why", r.stderr)
	}
	s.diagnose(2, s.shared()...).want(t, "redis replicas", "fix", "has 0")
}

// clientTLS is what the test's own client needs.
func clientTLS(t *testing.T, c redistest.Certificates) *tls.Config {
	t.Helper()
	ca, err := os.ReadFile(c.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(c.ClientCertFile, c.ClientKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}
}
