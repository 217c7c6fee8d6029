package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extractq/extractq/internal/bench"
)

// benched runs the command.
func benched(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = program(append([]string{"extractq", "bench"}, args...), strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), code
}

// What bench cannot go by is bad usage, and names its flag.
func TestBenchRefuses(t *testing.T) {
	t.Parallel()
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
		stdout, stderr, code := benched(t, args...)
		if code != exitUsage || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("bench %q: exit code %d, stdout %q, stderr %q, want 2 and %q", args, code, stdout, stderr, want)
		}
	}
}

// The same flags print the same report.
func TestBenchReplays(t *testing.T) {
	t.Parallel()
	args := []string{"--replay", "--documents", "500", "--seed", "3", "--rate", "20/s", "--webhooks", "0.9"}
	first, stderr, code := benched(t, args...)
	if code != exitOK || !strings.Contains(first, "learned, webhooks") || !strings.Contains(first, "of what is left") {
		t.Fatalf("exit code %d: %s%s", code, first, stderr)
	}
	if again, _, _ := benched(t, args...); again != first {
		t.Errorf("the first time:\n%s\nand the second:\n%s", first, again)
	}
	var report bench.Report
	text, _, _ := benched(t, append(args, "--format", "json")...)
	if err := json.Unmarshal([]byte(text), &report); err != nil || len(report.Policies) != 5 || report.Policies[0].Succeeded != 500 {
		t.Errorf("as JSON: %v: %s", err, text)
	}
}

// The picture is there when the report is, and a place that cannot be written is
// known before anything is measured.
func TestBenchDraws(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "bench.svg")
	if _, stderr, code := benched(t, "--replay", "--documents", "50", "--svg", name); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if svg, err := os.ReadFile(name); err != nil || !bytes.HasPrefix(svg, []byte("<svg")) {
		t.Errorf("the picture is %.20q, %v", svg, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); len(left) > 0 {
		t.Errorf("there is also %q", left)
	}
	stdout, stderr, code := benched(t, "--replay", "--svg", filepath.Join(name, "x.svg"))
	if code != exitUnavailable || !strings.Contains(stderr, "--svg") || stdout != "" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// In real time the product finds every document, whatever tells it of the ends, and
// the calls are counted where they are answered.
func TestBenchOverHTTP(t *testing.T) {
	t.Parallel()
	for provider, uploads := range map[string]int{"sensible": 12, "typless": 0} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			text, stderr, code := benched(t, "--documents", "12", "--warm-up", "4", "--law", "fixed:1s",
				"--provider", provider, "--webhooks", "1", "--format", "json")
			var report bench.Report
			if err := json.Unmarshal([]byte(text), &report); err != nil || code != exitOK {
				t.Fatalf("exit code %d, %v: %s", code, err, stderr)
			}
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
