package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestSubmitOutlivesItsRedis kills the Redis in the middle of a submit of two hundred
// documents and starts it again: each is accepted once.
func TestSubmitOutlivesItsRedis(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.durable()
	docs := s.documents("inbox", 200)
	p := s.start(s.shared("submit", "--account", sensibleAccount, "--type", "t", s.path("inbox"))...)
	for _, accepted := range []int{40, 120} {
		eventually(t, "some are accepted", func() bool { return len(lines(p.stdout.String())) >= accepted || p.ended() })
		said := strings.Count(p.stderr.String(), "Redis is away")
		s.redis.Kill()
		eventually(t, "submit waits", func() bool { return strings.Count(p.stderr.String(), "Redis is away") > said || p.ended() })
		s.redis.Restart()
	}
	r := p.wait().want(t, 0)
	if n := strings.Count(r.stderr, "Redis is away"); n != 2 {
		t.Errorf("it says %d times that Redis is away, want once an outage: %s", n, r.stderr)
	}
	printed := lines(r.stdout)
	slices.Sort(printed)
	known, err := s.redis.Client().ZRange(t.Context(), "extractq:{"+sensibleAccount+"}:list", 0, -1).Result()
	slices.Sort(known)
	if err != nil || len(known) != len(docs) || !slices.Equal(printed, known) {
		t.Errorf("%d ids are printed and %d extractions known (%v), want %d and the same", len(printed), len(known), err, len(docs))
	}
}

// TestRunOutlivesItsRedis does so while a run submits.
func TestRunOutlivesItsRedis(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.durable()
	docs := s.documents("inbox", 60)
	for _, out := range []string{"results", ""} {
		args := s.shared(runArgs("--rate", "50/s")...)
		if out != "" {
			args = append(args, "--out", s.path(out))
		}
		before := s.vendor.asked(opPut)
		p := s.start(append(args, s.path("inbox"))...)
		eventually(t, "some are at the vendor", func() bool { return s.vendor.asked(opPut) > before || p.ended() })
		s.redis.Kill()
		eventually(t, "the run waits", func() bool { return strings.Contains(p.stderr.String(), "Redis is away") || p.ended() })
		s.redis.Restart()
		p.wait().want(t, 0)
		if out != "" {
			s.vendor.wantOnce(t, docs)
		} else if n := s.vendor.asked(opPut) - before; n != len(docs) {
			t.Errorf("without --out %d uploads, want %d", n, len(docs))
		}
	}
}

// TestSubmitAgainWithItsKey kills a submit in the middle, and gives the same command again:
// with its idempotency key no document is accepted twice, over Redis and over HTTP.
func TestSubmitAgainWithItsKey(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(0), false)
	docs := o.documents("inbox", 30)
	known := 0
	for _, over := range []string{"redis", "api"} {
		args := []string{"submit", "--account", sensibleAccount, "--type", "t", "--idempotency-key", over, o.path("inbox")}
		command := func(args []string) *process {
			if over == "redis" {
				return o.start(o.shared(args...)...)
			}
			return launch(t, o.remote(args...))
		}
		p := command(args)
		eventually(t, "some are accepted", func() bool { return len(lines(p.stdout.String())) >= 5 || p.ended() })
		p.kill()
		first := lines(p.stdout.String())
		var again []string
		for range 2 {
			again = lines(command(args).wait().want(t, 0).stdout)
			if len(again) != len(docs) || !slices.Equal(again[:len(first)], first) {
				t.Fatalf("%s: %d ids, want %d that begin with the %d of the first time", over, len(again), len(docs), len(first))
			}
		}
		known += len(docs)
		n, err := o.redis.Client().ZCard(t.Context(), "extractq:{"+sensibleAccount+"}:list").Result()
		if err != nil || int(n) != known {
			t.Errorf("%s: %d extractions (%v), want %d", over, n, err, known)
		}
		another := slices.Clone(args)
		another[4] = "another type"
		if r := command(another).wait().want(t, 1); r.stdout != "" || !strings.Contains(r.stderr, "another document or other fields") {
			t.Errorf("%s: for another type it prints %q and says %q", over, r.stdout, tail(r.stderr))
		}
	}
}
