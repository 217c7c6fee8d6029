package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// heldRun is a run whose vendor does not answer, so that only a signal ends it.
func (s *site) heldRun() *process {
	s.t.Helper()
	s.documents("inbox", 3)
	gate := newGate()
	s.t.Cleanup(gate.open)
	s.vendor.on(opPut, always, func(x *exchange) { x.hold(gate); x.normal() })
	p := s.start(runArgs("--out", s.path("results"), s.path("inbox"))...)
	eventually(s.t, "the vendor is asked", func() bool { return s.vendor.total() > 0 })
	return p
}

// TestSecondSignalLeavesNoRedis signals twice, the second time while the first is
// worked on: the program ends at once, and so does the Redis that it brought.
func TestSecondSignalLeavesNoRedis(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(2*time.Second))
	p := s.heldRun()
	p.signal(syscall.SIGTERM)
	time.Sleep(600 * time.Millisecond) // Sooner would be the same wish.
	p.signal(syscall.SIGTERM)
	p.wait().want(t, 143)
	s.wantNoRedis()
}

// TestDoubledSignalIsOne signals as GNU timeout does, the process and then its group:
// the run is saved all the same.
func TestDoubledSignalIsOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(2*time.Second))
	p := s.heldRun()
	p.signal(syscall.SIGINT) // Of two that wait, the lower number is delivered first.
	p.signal(syscall.SIGTERM)
	p.wait().want(t, 130) // The code of the first.
	s.wantNoRedis()
}

// TestNohup keeps a run going whose terminal is closed.
func TestNohup(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(time.Second))
	docs := s.documents("inbox", 2)
	run := s.command(runArgs("--out", s.path("results"), s.path("inbox"))...)
	cmd := exec.CommandContext(t.Context(), "nohup", append([]string{run.Path}, run.Args[1:]...)...)
	cmd.Env, cmd.Dir = run.Env, run.Dir
	p := launch(t, cmd)
	eventually(t, "the vendor is asked", func() bool { return s.vendor.total() > 0 })
	p.signal(syscall.SIGHUP)
	p.wait().want(t, 0)
	s.vendor.wantOnce(t, docs)
}

// TestKilledTrialLeavesNothing kills a run with a sandbox: nothing could go on with
// its folder or its Redis.
func TestKilledTrialLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.documents("inbox", 20)
	temporary := t.TempDir()
	s.env = append(s.env, "TMPDIR="+temporary)
	p := s.start("run", "--provider", "sandbox", "--rate", "1/s", "--type", "tax_forms", s.path("inbox"))
	var pid int
	eventually(t, "its Redis runs", func() bool {
		found, _ := filepath.Glob(filepath.Join(temporary, "extractq-*", "redis", "redis.pid"))
		if len(found) == 0 {
			return false
		}
		text, _ := os.ReadFile(found[0])
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid != 0
	})
	p.signal(syscall.SIGKILL)
	p.wait()
	eventually(t, "the folder and the Redis are gone", func() bool {
		left, _ := filepath.Glob(filepath.Join(temporary, "*"))
		return len(left) == 0 && syscall.Kill(pid, 0) != nil
	})
}
