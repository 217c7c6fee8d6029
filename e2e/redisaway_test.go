package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRedisIsAway kills the Redis of a service under load and starts it again after
// EXTRACTQ_REDIS_AWAY (make redis-away). While it is away the worker must wait cheaply and
// say so briefly; in the end everything that was accepted has ended, paid for once.
func TestRedisIsAway(t *testing.T) {
	t.Parallel()
	away, n, measured := 4*time.Second, 120, false
	if text := os.Getenv("EXTRACTQ_REDIS_AWAY"); text != "" {
		var err error
		if away, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		n, measured = 1200, true
	}
	c := prepareChaos(t, n)
	for i := range c.account {
		if i%2 == 1 {
			c.account[i] = typlessAccount
		}
	}
	worker := c.site.worker()
	api := c.site.start(c.site.shared("api", "--listen", c.base[len("http://"):])...)
	api.saysAPI()

	began := time.Now()
	var posting sync.WaitGroup
	todo := make(chan int, n)
	posting.Go(func() { // Twenty a second, whatever becomes of them.
		defer close(todo)
		tick := time.NewTicker(time.Second / 20)
		defer tick.Stop()
		for i := range n {
			todo <- i
			<-tick.C
		}
	})
	for range 64 {
		posting.Go(func() {
			for i := range todo {
				c.ids[i] = c.post(t.Context(), i)
			}
		})
	}
	eventually(t, "there are results", func() bool { return ends(worker) >= n/10 })

	before := residentMemory(worker.cmd.Process.Pid)
	c.site.redis.Kill()
	gone := time.Now()
	settled := gone.Add(min(away/2, 5*time.Second)) // What was under way has ended.
	var from, until time.Duration
	most, said := 0, len(worker.stderr.String())
	for time.Since(gone) < away {
		time.Sleep(100 * time.Millisecond)
		if from == 0 && time.Now().After(settled) {
			from, settled = processorTime(worker.cmd.Process.Pid), time.Now()
		}
		most = max(most, residentMemory(worker.cmd.Process.Pid))
	}
	until = processorTime(worker.cmd.Process.Pid)
	waited := time.Since(settled)
	logged := lines(worker.stderr.String()[said:])
	loggedAPI := strings.Count(api.stderr.String(), "\n")

	endedBefore, acceptedBefore := ends(worker), c.accepted.Load()
	c.site.redis.Restart()
	back := time.Now()
	eventually(t, "a document ends", func() bool { return ends(worker) > endedBefore })
	firstEnd := time.Since(back)
	eventually(t, "a document is accepted", func() bool { return c.accepted.Load() > acceptedBefore || acceptedBefore == int64(n) })
	firstAccepted := time.Since(back)
	posting.Wait()
	c.wantAllFinal()
	t.Logf("all final %v after Redis came back, %v after the first was posted; refused meanwhile: %v",
		time.Since(back).Round(100*time.Millisecond), time.Since(began).Round(100*time.Millisecond), c.failures())
	share := 100 * (until - from).Seconds() / waited.Seconds()
	t.Logf("Redis was away for %v: the worker used %.1f %% of a core and wrote %d lines (the API %d in all); memory %.1f MB before, %.1f MB at most",
		away, share, len(logged), loggedAPI, float64(before)/1024, float64(most)/1024)
	t.Logf("after its return a document ended within %v and one was accepted within %v",
		firstEnd.Round(10*time.Millisecond), firstAccepted.Round(10*time.Millisecond))
	for message, n := range messages(logged) {
		t.Logf("%6d × %s", n, message)
	}
	c.wantOneEach()
	if !measured {
		return
	}
	if share >= 5 {
		t.Errorf("a waiting worker used %.1f %% of a core, want below 5 %%", share)
	}
	if firstEnd > 5*time.Second {
		t.Errorf("the first document ended %v after the return, want within 5 s", firstEnd)
	}
}

// ends is how many extractions a worker has ended with success.
func ends(p *process) int { return strings.Count(p.stderr.String(), "outcome=SUCCESS") }

// messages counts log lines by what they say.
func messages(logged []string) map[string]int {
	out := map[string]int{}
	for _, line := range logged {
		_, text, _ := strings.Cut(line, "level=")
		var kept []string
		for word := range strings.FieldsSeq(text) {
			if !strings.ContainsAny(word, "0123456789") {
				kept = append(kept, word)
			}
		}
		out[strings.Join(kept, " ")]++
	}
	return out
}

// processorTime is what a process has used of all processors; 0 where the system does not
// say.
func processorTime(pid int) time.Duration {
	body, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(body), ") ") // Its name may hold anything.
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11]) // The kernel writes numbers,
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // in hundredths of a second.
}

// residentMemory is VmRSS in KiB; 0 where the system does not say.
func residentMemory(pid int) int { return memoryOf(pid, "VmRSS:") }
