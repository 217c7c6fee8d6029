package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestOtherStore checks that no process works with another document store than the
// others of the same Redis: what it accepted would not be found.
func TestOtherStore(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 1)
	id := s.submit(sensibleAccount, docs[0].path)[0]
	for name, args := range map[string][]string{
		"worker": {"worker"},
		"submit": {"submit", "--account", sensibleAccount, "--type", "tax_forms", docs[0].path},
		"result": {"result", id},
		"run":    {"run", "--account", sensibleAccount, "--type", "tax_forms", docs[0].path},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := s.run(append(args, "--redis", s.redis.URL, "--data", s.path("elsewhere", name))...)
			wantComplaint(t, r, 2, "data.url")
		})
	}
	// Who touches no document does not need to know where they are.
	s.run("status", id, "--redis", s.redis.URL).want(t, 0)
}

// TestNewerRedis checks that a binary leaves alone what a newer version wrote.
func TestNewerRedis(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 1)
	id := s.submit(sensibleAccount, docs[0].path)[0]
	o, err := redis.ParseURL(s.redis.URL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(o)
	defer func() { _ = rdb.Close() }()
	if err := rdb.HSet(t.Context(), "extractq:meta", "version", 2).Err(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"worker"}, {"scheduler"}, {"status", id}} {
		wantComplaint(t, s.run(s.shared(args...)...), 2, "newer version")
	}
}

// TestTrialOnANamedRedis tries the sandbox on a Redis that was named: its documents go
// to the usual place, which the next command knows.
func TestTrialOnANamedRedis(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	doc := s.documents("inbox", 1)[0]
	s.shared() // Starts the Redis.
	for range 2 {
		s.run("run", "--provider", "sandbox", "--type", "tax_forms", "--redis", s.redis.URL, doc.path).want(t, 0)
	}
	r := s.run("run", "--provider", "sandbox", "--type", "tax_forms", "--redis", s.redis.URL, "--data", s.path("elsewhere"), doc.path)
	wantComplaint(t, r, 2, "extractq:meta") // How to leave.
}

// TestEmptyRedis checks that nothing starts beside the documents of a Redis that lost its
// data until an operator accepts that, and that they stay then, however old they are.
func TestEmptyRedis(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 2)
	id := s.submit(sensibleAccount, docs[0].path)[0]
	document := s.path("data", "documents", id, "document")
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(document, old, old); err != nil {
		t.Fatal(err)
	}
	s.redis.Restart() // It keeps nothing.
	submit := s.shared("submit", "--account", sensibleAccount, "--type", "tax_forms", docs[1].path)
	for _, args := range [][]string{{"worker"}, {"scheduler"}, {"api", "--listen", "127.0.0.1:0"}, {"up", "--listen", "127.0.0.1:0"}} {
		wantComplaint(t, s.run(s.shared(args...)...), 2, "--accept-empty-redis")
	}
	wantComplaint(t, s.run(submit...), 2, "--accept-empty-redis")

	s.worker("--accept-empty-redis")
	next := s.run(submit...).want(t, 0)
	eventually(t, "the next document has its result", func() bool { return s.status(lines(next.stdout)[0])["status"] == "SUCCESS" })
	eventually(t, "the store has been looked through", func() bool {
		o, err := redis.ParseURL(s.redis.URL)
		if err != nil {
			t.Fatal(err)
		}
		rdb := redis.NewClient(o)
		defer func() { _ = rdb.Close() }()
		return rdb.HExists(t.Context(), "extractq:ticks", "expire").Val()
	})
	if _, err := os.Stat(document); err != nil {
		t.Errorf("a document that is older than the acceptance: %v", err)
	}
}
