package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
)

// takeoverWithin is the longest that a step of a killed worker waits for another: a lease
// of 8 s and a tick of 2 s, or a task that was taken from the queue and not begun.
const takeoverWithin = 13 * time.Second

// stepsAKill is about how many steps are in the hands of a worker that is killed.
const stepsAKill = 30

// TestWorkIsTakenOver kills workers with many steps under way, each of another kind, and
// measures for each step how long after the kill another worker began it. EXTRACTQ_TAKEOVER
// is how many are killed: make takeover, which fails where 99 of 100 take too long.
func TestWorkIsTakenOver(t *testing.T) {
	t.Parallel()
	kills, measured := 2, false
	if text := os.Getenv("EXTRACTQ_TAKEOVER"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		measured = true
	}
	s := newSite(t, siteConfig{sandbox: quick(time.Second).sandbox, concurrency: 4 * stepsAKill})
	kinds := []dialect{
		{typlessAccount, opSubmit},
		{sensibleAccount, opPoll},
		{sensibleAccount, opPut},
		{typlessAccount, opPoll},
		{sensibleAccount, opOpen},
	}
	var docs []document
	var took []time.Duration
	victim := s.worker("--log-format", "json")
	for i := range kills {
		kind, together, n := kinds[i%len(kinds)], i%2 == 1, stepsAKill
		if together {
			n *= 2 // The other has half of them.
		}
		var round []document
		for range n {
			body := fixtures.Form(len(docs) + len(round))
			name := fmt.Sprintf("%d/%03d.pdf", i, len(round))
			round = append(round, document{name, s.write(name, string(body)), digest(body), len(body)})
		}
		docs = append(docs, round...)
		rescuer, each := s.killed(victim, kind, round, together)
		slices.Sort(each)
		t.Logf("kill %d of a worker, during %s of %s: %d steps taken over, the latest after %v", i+1, kind.takes, kind.account, len(each), latest(each))
		took = append(took, each...)
		victim = rescuer
	}
	s.vendor.wantOnce(t, docs)
	slices.Sort(took)
	at := func(q float64) time.Duration {
		return took[max(int(math.Ceil(q*float64(len(took))))-1, 0)].Round(10 * time.Millisecond)
	}
	if len(took) < kills*stepsAKill/3 {
		t.Fatalf("only %d steps were taken over", len(took))
	}
	t.Logf("%d steps taken over after %d kills: median %v, p95 %v, p99 %v, most %v", len(took), kills, at(.5), at(.95), at(.99), at(1))
	if measured && at(.99) > takeoverWithin {
		t.Errorf("p99 is %v, want at most %v", at(.99), takeoverWithin)
	}
	if at(1) > takeover {
		t.Errorf("a step was taken over after %v, want within %v", at(1), takeover)
	}
}

func latest(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[len(d)-1].Round(10 * time.Millisecond)
}

// killed lets a worker take documents, alone or together with another, kills it while the
// vendor holds the answers to one kind of request, and returns the worker that took over and
// how long each step waited for it.
func (s *site) killed(victim *process, kind dialect, docs []document, together bool) (rescuer *process, took []time.Duration) {
	s.t.Helper()
	held := newGate()
	defer held.open()
	var holds atomic.Int32
	before := s.vendor.asked(kind.takes)
	s.vendor.on(kind.takes, func(n int) bool { return n >= before && n < before+len(docs) }, func(x *exchange) {
		x.serve()
		holds.Add(1)
		x.hold(held)
		x.reply()
	})
	if together {
		rescuer = s.worker("--log-format", "json")
	}
	ids := s.submit(kind.account, paths(docs)...)
	want := len(docs)
	if together { // The rest is on its way into the worker.
		want = len(docs)/2 + rand.IntN(len(docs)/2)
	}
	eventually(s.t, "the vendor holds answers", func() bool { return int(holds.Load()) >= want })
	if !together {
		rescuer = s.worker("--log-format", "json")
		time.Sleep(rand.N(4 * time.Second)) // Of its ticks and of the other's heartbeats.
	}

	at := time.Now()
	victim.kill()
	left := s.taken(kind.account)
	held.open()
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(s.t, 0)
	begun := attempts(rescuer)
	for id, seq := range left {
		if slices.Contains(ids, id) {
			for _, a := range begun[id] {
				if a.seq > seq {
					took = append(took, a.began.Sub(at))
				}
				if a.seq >= seq { // The same is a step that it had itself.
					break
				}
			}
		}
	}
	return rescuer, took
}

// taken are the steps that workers have taken from an account's queues, begun or not: the
// seq of each by its extraction.
func (s *site) taken(account string) map[string]int64 {
	s.t.Helper()
	out := map[string]int64{}
	for _, queue := range []string{"submit", "poll"} {
		all, err := s.redis.Client().LRange(s.t.Context(), "asynq:{"+account+"."+queue+"}:active", 0, -1).Result()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, task := range all {
			id, seq, _ := strings.Cut(task, ":")
			n, err := strconv.ParseInt(seq, 10, 64)
			if err != nil {
				s.t.Fatalf("task %q: %v", task, err)
			}
			out[id] = max(out[id], n) // What asynq has left of an earlier kill is older.
		}
	}
	return out
}

// attempt is one attempt at a step.
type attempt struct {
	seq   int64
	began time.Time
}

// attempts are what a worker that writes JSON has logged of each extraction, in order.
func attempts(p *process) map[string][]attempt {
	out := map[string][]attempt{}
	for _, line := range lines(p.stderr.String()) {
		var l struct {
			Msg          string
			Time         time.Time
			ExtractionID string `json:"extraction_id"`
			Seq          int64
			Duration     time.Duration
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "attempt finished" {
			out[l.ExtractionID] = append(out[l.ExtractionID], attempt{l.Seq, l.Time.Add(-l.Duration)})
		}
	}
	return out
}
