package e2e

import (
	"strings"
	"testing"
)

// TestJudgedByWhoServes checks that accounts and doctor judge an account by the workers
// that have it, where their own configuration has none, and say so where none works.
func TestJudgedByWhoServes(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.durable()
	s.write("none.yaml", "admin: {listen: \"\"}\n")
	if r := s.run(s.shared("accounts")...).want(t, 0); !strings.Contains(r.stderr, "no worker has") {
		t.Errorf("with no worker accounts says %q", r.stderr)
	}
	worker := s.worker()
	got := parse(t, s.run(s.shared("accounts", sensibleAccount, "--config", "none.yaml")...).want(t, 0).stdout)
	if got["state"] != "active" || got["provider"] != "sensible" || got["rate"] == nil {
		t.Errorf("an account that a worker has: %v", got)
	}
	r := s.run(s.shared("doctor", "--no-vendors", "--config", "none.yaml")...).want(t, 0)
	if !strings.Contains(r.stdout, "the workers have") {
		t.Errorf("the doctor says %q", r.stdout)
	}
	worker.kill()
}
