// Package e2e tests the program as its users meet it: the built binary, real
// processes and signals, a real redis-server, and a vendor on the loopback
// interface that records every request and can be made to misbehave.
//
// Nothing here looks inside the program. What a test expects is what the
// documentation promises: exit codes, files, lines, and what the vendor sees.
//
// Every wait is for a condition, with a deadline. Deadlines are generous, because
// they are there to end a test that hangs and not to measure; what was measured is
// logged. Set EXTRACTQ_E2E_RACE to 1 to build the program with the race detector.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// binary is the program under test, and root the repository.
var binary, root string

func TestMain(m *testing.M) {
	flag.Parse()
	if !flagGiven("test.parallel") {
		// The tests wait much more than they work.
		if err := flag.Set("test.parallel", "10"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(withBinary(m.Run))
}

func flagGiven(name string) bool {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// withBinary builds the program, calls run and removes the program again.
func withBinary(run func() int) int {
	dir, err := os.MkdirTemp("", "extractq-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if root, err = filepath.Abs(".."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "extractq")
	args := []string{"build", "-o", binary}
	if os.Getenv("EXTRACTQ_E2E_RACE") == "1" {
		args = append(args, "-race")
	}
	build := exec.CommandContext(context.Background(), "go", append(args, "./cmd/extractq")...)
	build.Dir, build.Stdout, build.Stderr = root, os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the program:", err)
		return 1
	}
	return run()
}

// patience ends a wait that should have been over long ago.
const patience = 90 * time.Second

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	eventuallyFor(t, patience, what, cond)
}

// eventuallyFor is eventually for what takes longer than everything else.
func eventuallyFor(t *testing.T, patience time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatalf("%v have passed without this: %s", patience, what)
		case <-t.Context().Done():
			t.Fatalf("the test ended without this: %s", what)
		case <-tick.C:
		}
	}
}
