package chaos

import (
	"flag"
	"os"
	"os/exec"
	"testing"
)

var seed = flag.Uint64("seed", 7, "the seed of the short round")

// TestShortRound is a round of everything with a few documents.
func TestShortRound(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	binary, err := Build(t.Context(), t.TempDir(), "test")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "extractq-chaos-") //nolint:usetesting // A failed round's folder stays.
	if err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), Config{Binary: binary, Version: "test", Dir: dir, Seed: *seed, Scenario: "everything", Documents: 40})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	for _, what := range report.Violations {
		t.Error(what)
	}
	if report.Strikes == 0 || report.Callbacks == 0 {
		t.Errorf("%d strikes and %d callbacks: the round shows nothing", report.Strikes, report.Callbacks)
	}
	if t.Failed() {
		t.Logf("logs and data are in %s", dir)
		return
	}
	_ = os.RemoveAll(dir)
}
