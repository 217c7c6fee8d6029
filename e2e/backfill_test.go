package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
)

// BenchmarkBackfill takes EXTRACTQ_BENCH_BACKFILL one-page documents through a
// sandbox of its own process that needs no time for any, and prints how many a
// second there were and the peak memory of the run in each quarter of the way:
// make bench-backfill. With EXTRACTQ_BENCH_REDIS=memory there is no redis-server.
func BenchmarkBackfill(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("EXTRACTQ_BENCH_BACKFILL"))
	if err != nil {
		b.Skip("EXTRACTQ_BENCH_BACKFILL is not a number of documents")
	}
	for b.Loop() {
		benchBackfill(b, n)
	}
}

func benchBackfill(b *testing.B, n int) {
	dir := b.TempDir()
	inbox, out := filepath.Join(dir, "inbox"), filepath.Join(dir, "results")
	manyDocuments(b, inbox, n)
	address := freeAddress(b)
	vendor := exec.CommandContext(b.Context(), binary, "sandbox", "--listen", address, "--log-level", "error")
	started(b, vendor)
	waitFor(b, "the sandbox listens", func() bool {
		c, err := new(net.Dialer).DialContext(b.Context(), "tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	config := filepath.Join(dir, "extractq.yaml")
	write(b, config, fmt.Sprintf("accounts: {bench: {provider: sensible, api_key: k, base_url: %q, rate: 10000/s}}\n",
		"http://"+address+"/sensible/v0"))
	run := exec.CommandContext(b.Context(), binary, "run", "--config", config, "--type", "forms", "--out", out, inbox)
	if os.Getenv("EXTRACTQ_BENCH_REDIS") == "memory" {
		run.Env = append(os.Environ(), "PATH="+dir)
	}
	run.Stderr = os.Stderr
	began := time.Now()
	ended := started(b, run)
	quarters := watchMemory(b, run.Process.Pid, ended, func() float64 { return float64(results(out)) / float64(n) })
	took := time.Since(began)
	if !run.ProcessState.Success() || results(out) != n {
		b.Fatalf("%v, %d of %d results", run.ProcessState, results(out), n)
	}
	b.ReportMetric(float64(n)/took.Seconds(), "docs/s")
	for i, peak := range quarters {
		b.ReportMetric(float64(peak)/1024, fmt.Sprintf("MB-peak-to-%d%%", 25*(i+1)))
	}
}

// watchMemory is the peak resident memory of a process in each quarter of its
// way, in KiB, until it has ended.
func watchMemory(b *testing.B, pid int, ended <-chan struct{}, done func() float64) [4]int {
	b.Helper()
	var peaks [4]int
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for quarter := 0; ; {
		if peak := peakMemory(pid); peak > 0 {
			peaks[quarter] = max(peaks[quarter], peak)
		}
		if next := min(3, int(done()*4)); next > quarter {
			quarter = next
			// "5" makes the peak what is resident now.
			if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o600); err != nil && !os.IsNotExist(err) {
				b.Fatal(err)
			}
		}
		select {
		case <-ended:
			return peaks
		case <-tick.C:
		}
	}
}

// peakMemory is VmHWM in KiB; 0 where there is no such process any more.
func peakMemory(pid int) int { return memoryOf(pid, "VmHWM:") }

// memoryOf is a line of a process's status in KiB; 0 where there is none.
func memoryOf(pid int, name string) int {
	body, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(body), name)
	field := strings.Fields(after)
	if len(field) == 0 {
		return 0
	}
	kib, _ := strconv.Atoi(field[0]) // The kernel writes numbers.
	return kib
}

// results counts the results in a folder without folders.
func results(out string) int {
	f, err := os.Open(out)
	if err != nil {
		return 0 // Not there yet.
	}
	defer func() { _ = f.Close() }()
	names, _ := f.Readdirnames(-1)
	n := 0
	for _, name := range names {
		if strings.HasSuffix(name, ".pdf.json") {
			n++
		}
	}
	return n
}

// manyDocuments writes n different one-page documents.
func manyDocuments(b *testing.B, dir string, n int) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		write(b, filepath.Join(dir, fmt.Sprintf("form-%06d.pdf", i)), string(fixtures.Form(i)))
	}
}

func write(b *testing.B, file, content string) {
	b.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
}

func freeAddress(b testing.TB) string {
	b.Helper()
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// started starts a process; the channel is closed when it has ended, which it has
// when the benchmark has.
func started(b *testing.B, cmd *exec.Cmd) <-chan struct{} {
	b.Helper()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	b.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	return ended
}

func waitFor(b *testing.B, what string, cond func() bool) {
	b.Helper()
	for deadline := time.Now().Add(patience); !cond(); {
		if time.Now().After(deadline) {
			b.Fatalf("%v have passed without this: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
