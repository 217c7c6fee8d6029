// Chaos runs whole installations of extractq while it strikes them, and checks afterwards
// that every promise was kept; see docs/reliability.md. It prints one line a round, and
// exits 1 when a promise was broken.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/extractq/extractq/internal/chaos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	kept, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(3) //nolint:gocritic // The rounds have cleaned up.
	}
	if !kept {
		os.Exit(1)
	}
}

// run runs rounds and reports whether every promise was kept.
func run(ctx context.Context) (bool, error) {
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()%1_000_000), "the first round's `SEED`; each further round has the next")
	scenario := flag.String("scenario", "", "one of "+strings.Join(chaos.Scenarios(), ", ")+"; chosen by the seed unless given")
	minutes := flag.Float64("minutes", 0, "begin further rounds for so many minutes; 0 runs one")
	documents := flag.Int("documents", 200, "how many documents a round has")
	version := flag.String("version", commit(ctx), "what the program is called in the verdict")
	flag.Parse()
	work, err := os.MkdirTemp("", "extractq-chaos-")
	if err != nil {
		return false, err
	}
	kept := true
	defer func() {
		if kept {
			_ = os.RemoveAll(work)
		}
	}()
	binary, err := chaos.Build(ctx, work, *version)
	if err != nil {
		return false, err
	}
	for begun := time.Now(); ; *seed++ {
		dir := filepath.Join(work, fmt.Sprint("seed-", *seed))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return false, err
		}
		report, err := chaos.Run(ctx, chaos.Config{
			Binary: binary, Version: *version, Dir: dir, Seed: *seed, Scenario: *scenario, Documents: *documents,
		})
		if err != nil {
			return false, err
		}
		fmt.Println("chaos:", report)
		for _, why := range report.Uncertain {
			fmt.Fprintln(os.Stderr, "  uncertain:", why)
		}
		if len(report.Violations) > 0 {
			kept = false
			for _, what := range report.Violations {
				fmt.Fprintln(os.Stderr, "  broken:", what)
			}
			fmt.Fprintln(os.Stderr, "  logs and data are in", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			return false, err
		}
		if time.Since(begun) >= time.Duration(*minutes*float64(time.Minute)) {
			return kept, nil
		}
	}
}

// commit is what git calls the sources.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "dev"
	}
	return strings.TrimSpace(string(out))
}
