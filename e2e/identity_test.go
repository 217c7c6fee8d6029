package e2e

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// TestOtherStore checks that nobody works with another document store than the
// others of the same Redis: what it accepted would be found by nobody.
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
