package e2e

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A worker that is killed takes nothing with it: others carry on within seconds,
// and nothing is sent to the vendor a second time.

// takeover is how long after the crash everything must have ended. It is much
// more than it takes, which is logged.
const takeover = 45 * time.Second

// TestWorkerIsKilledWhileItSubmits kills one of two workers while all documents
// are on their way: some have arrived at the vendor and are not answered, others
// never arrive. A submission in one call always arrives here, because whether it
// did can be found out only when it did.
func TestWorkerIsKilledWhileItSubmits(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		cfg := quick(time.Second)
		cfg.concurrency = 4 // So that both workers have some of the documents.
		s := newSite(t, cfg)
		docs := s.documents("inbox", 8)
		held := newGate()
		var received atomic.Int32
		s.vendor.on(d.takes, first(len(docs)), func(x *exchange) { x.serve(); received.Add(1); x.hold(held); x.reply() })
		if d.takes == opPut {
			s.vendor.on(opPut, every(2, len(docs)/2), func(x *exchange) { x.receive(); received.Add(1); x.hold(held); x.lose() })
		}
		victim := s.worker()
		s.worker()
		ids := s.submit(d.account, paths(docs)...)
		eventually(t, "the vendor has read all documents", func() bool { return int(received.Load()) == len(docs) })

		victim.kill()
		crashed := time.Now()
		held.open()
		s.wantRecovered(ids, docs, crashed)
	})
}

// wantRecovered waits until everything has ended, and checks that nothing was
// lost or submitted twice.
func (s *site) wantRecovered(ids []string, docs []document, crashed time.Time) {
	s.t.Helper()
	r := s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...)
	took := time.Since(crashed).Round(100 * time.Millisecond)
	r.want(s.t, 0)
	s.t.Logf("everything had ended %v after the crash", took)
	if took > takeover {
		s.t.Errorf("everything had ended %v after the crash, want within %v", took, takeover)
	}
	s.wantAll(ids, "SUCCESS")
	s.vendor.wantOnce(s.t, docs)
}

// TestWorkerIsKilledWhileItPolls kills one of two workers while every poll is
// waiting for its answer.
func TestWorkerIsKilledWhileItPolls(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		cfg := quick(time.Second)
		cfg.concurrency = 4
		s := newSite(t, cfg)
		docs := s.documents("inbox", 8)
		held := newGate()
		s.vendor.on(opPoll, first(len(docs)), func(x *exchange) { x.serve(); x.hold(held); x.reply() })
		victim := s.worker()
		s.worker()
		ids := s.submit(d.account, paths(docs)...)
		eventually(t, "all documents are being asked for", func() bool { return s.vendor.asked(opPoll) >= len(docs) })

		victim.kill()
		crashed := time.Now()
		held.open()
		s.wantRecovered(ids, docs, crashed)
		for _, doc := range docs {
			if n := s.vendor.sent(d.takes, doc); n != 1 {
				t.Errorf("%s was sent %d times, want once", doc.name, n)
			}
		}
	})
}

// sent is how often a document was sent to the vendor, whatever became of it.
func (v *vendor) sent(o op, d document) int {
	n := 0
	for _, c := range v.log(o) {
		if digest(c.Body) == d.sha256 {
			n++
		}
	}
	return n
}

// TestEveryProcessIsKilled kills everything at once, Redis too, with documents
// at every stage, and starts it all again.
func TestEveryProcessIsKilled(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(3*time.Second))
		s.durable()
		docs := s.documents("inbox", 8)
		scheduler, worker := s.scheduler(), s.worker()
		ids := s.submit(d.account, paths(docs[:4])...)
		eventually(t, "the first documents are asked for", func() bool { return s.vendor.asked(opPoll) >= 2 })
		held := newGate()
		var served atomic.Int32
		s.vendor.on(d.takes, func(n int) bool { return n >= 4 && n < 6 }, func(x *exchange) {
			x.serve()
			served.Add(1)
			x.hold(held)
			x.reply()
		})
		ids = append(ids, s.submit(d.account, paths(docs[4:6])...)...)
		// A document whose last bytes the kill has cut off is searched for in vain, for
		// longer than this test lasts.
		eventually(t, "the vendor has two more", func() bool { return served.Load() == 2 })

		worker.kill()
		ids = append(ids, s.submit(d.account, paths(docs[6:])...)...) // There is no worker to take them.
		scheduler.kill()
		s.redis.Kill()
		crashed := time.Now()
		held.open()
		s.redis.Restart()
		s.worker()
		s.wantRecovered(ids, docs, crashed)
	})
}

// TestWorkerStopsGracefully stops a worker that has nothing to do but wait for
// the vendor, and starts another one that goes on.
func TestWorkerStopsGracefully(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(12*time.Second))
		docs := s.documents("inbox", 3)
		scheduler, worker := s.scheduler(), s.worker()
		ids := s.submit(d.account, paths(docs)...)
		eventually(t, "everything is waited for", func() bool { return s.vendor.asked(opPoll) >= len(docs) })

		asked := time.Now()
		for _, p := range []*process{worker, scheduler} {
			p.signal(syscall.SIGTERM)
			p.wait().want(t, 0)
		}
		t.Logf("worker and scheduler stopped in %v", time.Since(asked).Round(10*time.Millisecond))
		if took := time.Since(asked); took > 20*time.Second {
			t.Errorf("worker and scheduler took %v to stop with nothing under way", took)
		}
		s.wantAll(ids, "IN_PROGRESS")
		s.worker()
		s.run(s.shared(append([]string{"watch", "--timeout", "60s"}, ids...)...)...).want(t, 0)
		s.vendor.wantOnce(t, docs)
	})
}
