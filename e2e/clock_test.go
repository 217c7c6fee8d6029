package e2e

import (
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/redistest"
)

// lateAfterJump is how much later than without it a jump of Redis's clock may end anything.
const lateAfterJump = time.Minute

// TestRedisClockJumps lets Redis's clock jump under workers and a scheduler, with documents
// at the vendor, waiting, on their way back and new: everything ends as it would have.
// EXTRACTQ_CLOCK_DOCUMENTS makes it as large as it should be: make clock.
func TestRedisClockJumps(t *testing.T) {
	t.Parallel()
	n := 24
	if text := os.Getenv("EXTRACTQ_CLOCK_DOCUMENTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for name, by := range map[string]time.Duration{"back": -600 * time.Second, "ahead": 4000 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jump(t, n, by)
		})
	}
}

func jump(t *testing.T, n int, by time.Duration) {
	const takes = 4 * time.Second
	s := newSite(t, quick(takes))
	s.redis = redistest.StartWithClock(t, redistest.Durable()...)
	s.callsBack()
	p := newProducer(t, slices.Repeat([]int{http.StatusServiceUnavailable}, n/6)...)
	// Some answers are lost: those documents are searched for.
	s.vendor.on(opSubmit, every(5, n/10), func(x *exchange) { x.serve(); x.lose() })
	docs := s.documents("inbox", n)
	send := func(docs []document) {
		half := len(docs) / 2
		for account, some := range map[string][]document{sensibleAccount: docs[:half], typlessAccount: docs[half:]} {
			s.submit(account, append([]string{"--batch", "jump", "--callback-url", p.URL}, paths(some)...)...)
		}
	}
	victim, _ := s.worker(), s.worker()
	s.scheduler()

	send(docs[:n/3])
	eventually(t, "one has ended", func() bool { return len(p.called()) > 0 })
	send(docs[n/3 : 2*n/3])
	// One that dies in the middle of a submission may leave it uncertain: that is not at stake.
	eventually(t, "these are at the vendor", func() bool { return len(s.vendor.takenBy()) == 2*n/3 })
	victim.kill()
	s.redis.SetClock(by)
	s.worker()
	send(docs[2*n/3:])
	eventually(t, "all are at the vendor", func() bool { return len(s.vendor.takenBy()) == n })
	due := time.Now().Add(takes)
	s.run(s.shared("watch", "--batch", "jump", "--timeout", "15m")...).want(t, 0)
	called := func() map[string]string {
		out := map[string]string{}
		for _, c := range p.called() {
			out[c.event["subject"].(string)] = c.id
		}
		return out
	}
	ended := time.Since(due)
	eventually(t, "every producer is called back", func() bool { return len(called()) == n })
	t.Logf("%d documents, the clock %v: all have ended %v after the vendor had the last, and are called back after %v",
		n, by, ended.Round(time.Second), time.Since(due).Round(time.Second))
	if ended > lateAfterJump {
		t.Errorf("the last ended %v after the vendor had it, want within %v", ended, lateAfterJump)
	}
	if got := s.listed("--batch", "jump", "--status", "SUCCESS"); len(got) != n {
		t.Errorf("%d of %d are listed as SUCCESS", len(got), n)
	}
	s.vendor.wantOnce(t, docs)
	if r := s.run(s.shared("doctor", "--deep", "--no-vendors")...); !strings.Contains(r.stdout, "agree with their indexes") {
		t.Errorf("doctor --deep says %s", r.stdout)
	}
}
