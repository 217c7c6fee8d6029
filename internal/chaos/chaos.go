// Package chaos runs a whole installation for a minute while it is struck: API, workers
// and scheduler as processes, a Redis, a document store, a vendor of both dialects and a
// receiver of callbacks. A seed decides what happens and when. When everything has settled
// the vendor's ledger is compared with the records: nothing lost, nothing paid twice, every
// callback delivered.
//
// The same seed gives the same strikes at the same times. What they meet depends on the
// machine, so a failure does not always repeat; the folder that a failed round leaves
// behind has the logs of everything.
package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Config is one round.
type Config struct {
	// Binary is the program, built with the tag crash (Build); Version is what it is
	// called in the report.
	Binary, Version string
	// Dir is an empty folder that the round works in.
	Dir string
	// Seed decides about everything, the scenario too where it is not given.
	Seed     uint64
	Scenario string
	// Documents is how many are submitted.
	Documents int
	// Settle bounds the time from the last strike until everything is final and delivered;
	// 0 is 2 min, and as long as it takes to submit the documents.
	Settle time.Duration
}

// submitting is how long the documents take to be submitted where nothing is in the way.
func (c Config) submitting() time.Duration { return time.Duration(c.Documents) * time.Second / pace }

const (
	// lease is what the program's own is shortened to, window the accounts' uncertain_window.
	lease  = 2 * time.Second
	window = 15 * time.Second
	// pace is how many documents a second are submitted, so that strikes meet documents at
	// every stage.
	pace          = 13
	defaultSettle = 2 * time.Minute
)

// Build builds the program for rounds into a folder.
func Build(ctx context.Context, dir, version string) (string, error) {
	file := filepath.Join(dir, "extractq")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "crash", "-ldflags", "-X main.version="+version, "-o", file,
		"github.com/extractq/extractq/cmd/extractq")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return file, nil
}

// Run runs one round. The error is one of the round itself; what the round found is in the
// report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	rng := rand.New(rand.NewPCG(cfg.Seed, 1))
	if cfg.Settle == 0 {
		cfg.Settle = defaultSettle + cfg.submitting()
	}
	s, err := choose(cfg.Scenario, rng)
	if err != nil {
		return Report{}, err
	}
	cfg.Scenario = s.name
	logs, err := os.Create(filepath.Join(cfg.Dir, "chaos.log"))
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = logs.Close() }()
	site, err := newSite(ctx, cfg, s, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		return Report{}, err
	}
	defer site.close()

	begun := time.Now()
	p := newProducers(site, cfg.Documents)
	posting, posted := context.WithCancel(ctx)
	defer posted()
	var strikes sync.WaitGroup
	strikes.Go(func() { site.strike(posting, s, rng) })
	p.submit(ctx)
	posted()
	strikes.Wait()
	site.log.InfoContext(ctx, "settling", slog.Int("accepted", p.accepted()))
	all, err := site.settle(ctx, p)
	report := site.judge(ctx, p, all)
	if err != nil {
		report.broken("the API does not list the extractions: %v", err)
	}
	report.Took = time.Since(begun)
	if err := ctx.Err(); err != nil {
		return report, err
	}
	return report, nil
}

// Report is what a round found.
type Report struct {
	Config

	Took time.Duration
	// Strikes is how many strikes there were, Refused how often a process would not start
	// meanwhile, Skipped which strikes this machine does not allow.
	Strikes, Refused int
	Skipped          []string
	// Success and Failed are documents that ended so at the vendor, Uncertain those of
	// which it cannot be known, with the reason of each.
	Accepted, Success, Failed int
	Uncertain                 []string
	// Callbacks is how many deliveries there were, repeated ones too.
	Callbacks int
	// Violations are the promises that were broken.
	Violations []string
}

// String is the verdict in one line.
func (r Report) String() string {
	verdict := "ok"
	if len(r.Violations) > 0 {
		verdict = fmt.Sprintf("FAILED (%d)", len(r.Violations))
	}
	line := fmt.Sprintf("%s seed=%d scenario=%s version=%s documents=%d accepted=%d success=%d failed=%d uncertain=%d callbacks=%d strikes=%d refused_starts=%d took=%s",
		verdict, r.Seed, r.Scenario, r.Version, r.Documents, r.Accepted, r.Success, r.Failed, len(r.Uncertain), r.Callbacks,
		r.Strikes, r.Refused, r.Took.Round(time.Second))
	if len(r.Skipped) > 0 {
		line += " skipped=" + strings.Join(r.Skipped, ",")
	}
	return line
}
