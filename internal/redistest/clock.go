package redistest

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

//go:embed testdata/clock.c
var clockSource []byte

// StartWithClock is Start for a server whose clock SetClock moves. It needs Linux and a C
// compiler; without, the test fails if CI is true and is skipped otherwise.
func StartWithClock(t testing.TB, args ...string) *Server {
	t.Helper()
	Require(t)
	if _, err := exec.LookPath("cc"); err != nil || runtime.GOOS != "linux" {
		const fix = "no C compiler, or not Linux: a server's clock cannot be moved"
		if os.Getenv("CI") == "true" {
			t.Fatal(fix)
		}
		t.Skip(fix)
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so")
	if err := os.WriteFile(source, clockSource, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cc", "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("compile the clock: %v\n%s", err, out)
	}
	file := filepath.Join(dir, "ahead")
	return startProgram(t, clock{file: file, env: []string{"LD_PRELOAD=" + library, "REDISTEST_CLOCK=" + file}}, "redis-server", args)
}

// clock is what moves a server's clock; the zero value is the machine's.
type clock struct {
	file string
	env  []string
}

// SetClock lets the server's clock be ahead of the machine's by d, from now on.
func (s *Server) SetClock(d time.Duration) {
	s.t.Helper()
	draft := s.clock.file + ".new"
	err := os.WriteFile(draft, []byte(strconv.Itoa(int(d.Seconds()))), 0o600)
	if err == nil {
		err = os.Rename(draft, s.clock.file)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
