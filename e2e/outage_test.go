package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRedisIsRestarted crashes the Redis under a worker that has documents at
// every stage, and starts it again.
func TestRedisIsRestarted(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(3*time.Second))
		s.durable()
		docs := s.documents("inbox", 9)
		worker := s.worker()
		ids := s.submit(d.account, paths(docs[:5])...)
		eventually(t, "the first documents are asked for", func() bool { return s.vendor.asked(opPoll) >= 2 })
		held := newGate()
		s.vendor.on(d.takes, func(n int) bool { return n >= 5 && n < 7 }, func(x *exchange) { x.serve(); x.hold(held); x.reply() })
		ids = append(ids, s.submit(d.account, paths(docs[5:])...)...)
		eventually(t, "two more are being sent", func() bool { return s.vendor.asked(d.takes) >= 7 })

		s.redis.Kill()
		crashed := time.Now()
		held.open() // Their answers come while no Redis is there to note them.
		eventually(t, "the worker has noticed", func() bool {
			return strings.Contains(worker.stderr.String(), "refused") || strings.Contains(worker.stderr.String(), "no such file") ||
				time.Since(crashed) > 3*time.Second
		})
		s.redis.Restart()
		s.wantRecovered(ids, docs, crashed)
		if worker.ended() {
			t.Error("the worker has ended with its Redis")
		}
	})
}

// TestVendorIsDown lets all calls to the vendor fail until the account is
// paused, and come back.
func TestVendorIsDown(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		docs := s.documents("inbox", 6)
		up := newGate()
		down := func(x *exchange) {
			if up.isOpen() {
				x.normal()
				return
			}
			x.refuse(http.StatusServiceUnavailable, "down for maintenance")
		}
		for _, o := range []op{opOpen, opSubmit, opPoll, opReady} {
			s.vendor.on(o, always, down)
		}
		w := s.worker()
		ids := s.submit(d.account, paths(docs)...)
		w.says("account paused")
		paused := s.vendor.total()
		up.open()
		s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(t, 0)
		t.Logf("%d requests until the account was paused", paused)
		if paused > 4*len(docs) {
			t.Errorf("a vendor that is down was asked %d times before the account was paused", paused)
		}
		s.vendor.wantOnce(t, docs)
	})
}

// TestRunsShareTheirRedis runs two at once in one home: the one that ends first
// must not take the Redis away from the other.
func TestRunsShareTheirRedis(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(2*time.Second))
	docs := s.documents("inbox", 4)
	long := newGate()
	s.vendor.on(opPoll, always, func(x *exchange) {
		if strings.Contains(x.r.URL.Path, "/documents/") {
			x.hold(long)
		}
		x.normal()
	})
	first := s.start(runArgs(paths(docs[:2])...)...)
	eventually(t, "the first run has begun", func() bool { return s.vendor.asked(opPut) == 2 })
	second := s.start("run", "--account", typlessAccount, "--type", "tax_forms", docs[2].path, docs[3].path)
	second.wait().want(t, 0)
	long.open()
	r := first.wait().want(t, 0)
	if n := len(lines(r.stdout)); n != 2 {
		t.Errorf("%d results, want 2", n)
	}
	third := s.start(runArgs(docs[0].path)...)
	third.wait().want(t, 0)
}
