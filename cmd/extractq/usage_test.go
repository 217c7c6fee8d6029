package main

import (
	"strings"
	"testing"
)

// TestMistakesAreNamed says for each mistake what was given and what to type instead.
func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"rnu":                        `unknown command "rnu"; did you mean extractq run?`,
		"xyzzy":                      `unknown command "xyzzy"; see extractq --help`,
		"help accounts puase":        `unknown command "puase"; did you mean extractq accounts pause?`,
		"help accounts pause resume": `unknown command "resume"; see extractq accounts pause --help`,
		"version now":                "version takes no arguments",

		"run --tpye x y":                           "run: unknown flag --tpye (did you mean --type?); see extractq run --help",
		"list --zzz":                               "list: unknown flag --zzz; see extractq list --help",
		"--confg x run":                            "unknown flag --confg (did you mean --config?); see extractq --help",
		"accounts pause --sever x":                 "accounts pause: unknown flag --sever (did you mean --server?); see extractq accounts pause --help",
		"run --timeout 10 x":                       `run: --timeout: "10" is not a duration, such as 90s, 15m or 2h; see extractq run --help`,
		"run --limit few x":                        `run: --limit: "few" is not a whole number; see extractq run --help`,
		"sandbox --seed -1":                        `sandbox: --seed: "-1" is not a whole number; see extractq sandbox --help`,
		"sandbox --quota-counts-calls=perhaps":     `sandbox: --quota-counts-calls: "perhaps" is not true or false; see extractq sandbox --help`,
		"sandbox --failure-rate half":              `sandbox: --failure-rate: "half" is not a number; see extractq sandbox --help`,
		"run --provider nothing --type t examples": `--provider: unknown provider "nothing": want sandbox, sensible or typless`,
	} {
		var out, err strings.Builder
		parsing.Lock()
		code := program(append([]string{"extractq"}, strings.Fields(line)...), strings.NewReader(""), &out, &err)
		parsing.Unlock()
		if code != exitUsage {
			t.Errorf("extractq %s ends with %d, want %d", line, code, exitUsage)
		}
		if got := strings.TrimSpace(err.String()); got != "extractq: "+want {
			t.Errorf("extractq %s says\n%s\nwant\nextractq: %s", line, got, want)
		}
	}
}

// TestHelpAndVersionAreCommands as well as flags.
func TestHelpAndVersionAreCommands(t *testing.T) {
	t.Parallel()
	run := func(args ...string) string {
		var out, err strings.Builder
		parsing.Lock()
		code := program(append([]string{"extractq"}, args...), strings.NewReader(""), &out, &err)
		parsing.Unlock()
		if code != exitOK || err.Len() > 0 {
			t.Errorf("extractq %q ends with %d and says %q", args, code, err.String())
		}
		return out.String()
	}
	for _, both := range [][2][]string{
		{{"help"}, {"--help"}}, {{"help", "run"}, {"run", "--help"}}, {{"help", "accounts", "pause"}, {"accounts", "pause", "--help"}},
	} {
		if got, want := run(both[0]...), run(both[1]...); got != want || got == "" {
			t.Errorf("extractq %q prints\n%s\nwant\n%s", both[0], got, want)
		}
	}
	first, _, _ := strings.Cut(run("version"), "\n")
	if want := strings.TrimSpace(run("--version")); first != want {
		t.Errorf("version prints %q, --version %q", first, want)
	}
}
