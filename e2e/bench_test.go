package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extractq/extractq/internal/bench"
)

// What bench cannot go by is bad usage, and names its flag.
func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	for want, args := range map[string][]string{
		"takes no arguments": {"x"},
		"--format":           {"--replay", "--format", "csv"},
		"--arrive":           {"--replay", "--arrive", "fast"},
		"--rate":             {"--replay", "--rate", "0"},
		"--provider":         {"--replay", "--provider", "acme"},
		"--poll-price":       {"--replay", "--poll-price", "0s"},
		"--sweep: want":      {"--sweep", "on"},
		"documents 0":        {"--replay", "--documents", "0"},
		"warm-up -1":         {"--replay", "--warm-up", "-1"},
		"webhooks 2":         {"--webhooks", "2"},
		"processing time":    {"--replay", "--law", "pareto:1s"},
	} {
		r := s.run(append([]string{"bench"}, args...)...)
		if r.code != 2 || !strings.Contains(r.stderr, want) || r.stdout != "" {
			t.Errorf("bench %q: exit code %d, stdout %q, stderr %q, want 2 and %q", args, r.code, r.stdout, r.stderr, want)
		}
	}
}

// The same flags print the same report.
func TestBenchReplays(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	args := []string{"bench", "--replay", "--documents", "500", "--seed", "3", "--rate", "20/s", "--webhooks", "0.9"}
	first := s.run(args...).want(t, 0).stdout
	if !strings.Contains(first, "learned, webhooks") || !strings.Contains(first, "of what is left") {
		t.Errorf("the report is\n%s", first)
	}
	if again := s.run(args...).want(t, 0).stdout; again != first {
		t.Errorf("the first time:\n%s\nand the second:\n%s", first, again)
	}
	report := benchReport(t, s.run(append(args, "--format", "json")...))
	if len(report.Policies) != 5 || report.Policies[0].Succeeded != 500 {
		t.Errorf("as JSON: %+v", report)
	}
}

// benchReport is what a benchmark printed as JSON.
func benchReport(t *testing.T, r result) (report bench.Report) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.want(t, 0).stdout), &report); err != nil {
		t.Fatalf("%v in %q", err, r.stdout)
	}
	return report
}

// The picture is there when the report is, and a place that cannot be written is
// known before anything is measured.
func TestBenchDraws(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.run("bench", "--replay", "--documents", "50", "--svg", "pictures.svg").want(t, 0)
	if svg := s.read("pictures.svg"); !strings.HasPrefix(svg, "<svg") {
		t.Errorf("the picture is %.20q", svg)
	}
	if left, _ := filepath.Glob(s.path(".*svg*")); len(left) > 0 {
		t.Errorf("there is also %q", left)
	}
	r := s.run("bench", "--replay", "--svg", filepath.Join("pictures.svg", "x.svg")).want(t, 3)
	if !strings.Contains(r.stderr, "--svg") || r.stdout != "" {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
}

// In real time the product finds every document, whatever tells it of the ends, and
// the calls are counted where they are answered.
func TestBenchOverHTTP(t *testing.T) {
	t.Parallel()
	for provider, uploads := range map[string]int{"sensible": 12, "typless": 0} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			report := benchReport(t, newSite(t, quick(0)).run("bench", "--documents", "12", "--warm-up", "4", "--law", "fixed:1s",
				"--provider", provider, "--webhooks", "1", "--format", "json"))
			by := map[string]bench.Outcome{}
			for _, o := range report.Policies {
				by[o.Policy] = o
				if o.Succeeded != 12 || o.Lost != 0 || o.Requests.Submit != 12 || o.Requests.Upload != uploads || o.Requests.Beyond() < 12 {
					t.Errorf("%s: %+v", o.Policy, o)
				}
				if o.Delay.Mean <= 0 || o.Delay.P99 > 30 {
					t.Errorf("%s: the delays are %+v", o.Policy, o.Delay)
				}
			}
			if o := by["learned, webhooks"]; o.Requests.Fetch < 6 {
				t.Errorf("with webhooks %+v, want most of 12 fetched because of one", o.Requests)
			}
			if o := by[bench.FixedPolicy]; o.Requests.Poll != 24 || o.Delay.Mean < 3.5 || o.Delay.Mean > 6 {
				t.Errorf("every 5 s: %+v, want two questions each and 4 s", o)
			}
		})
	}
}
