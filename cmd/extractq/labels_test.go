package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a flag names is refused by the rule of the HTTP API, before anything is asked.
func TestLabels(t *testing.T) {
	t.Parallel()
	cfg := filepath.Join(t.TempDir(), "extractq.yaml") // What is accepted all the same goes nowhere.
	if err := os.WriteFile(cfg, []byte(`accounts: {acme: {provider: sensible, api_key: none, base_url: "http://127.0.0.1:1"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	places := []string{"--config", cfg, "--redis", "redis://127.0.0.1:1", "--data", t.TempDir(), "--account", "acme"}
	for command, rest := range map[string][]string{"submit": {"-"}, "run": {"-"}, "adopt": {"v-1"}} {
		for _, flag := range []string{"--type", "--types", "--config-name", "--environment", "--customer", "--batch", "--metadata", "--name"} {
			if command == "adopt" && flag == "--name" {
				continue
			}
			for what, label := range map[string]string{
				"a control": "a\x1b[2J", "a NUL": "a\x00.pdf", "a line feed": "a\nb", "an override": "a\u202efdp.exe", "not UTF-8": "a\xff",
				"too long": strings.Repeat("x", 17<<10),
			} {
				if flag == "--metadata" {
					label += "=1"
				}
				if flag == "--name" && what == "too long" {
					continue // Each document's own name has its limit where it is submitted.
				}
				args := append([]string{"extractq", command}, places...)
				if flag != "--type" && flag != "--types" {
					args = append(args, "--type", "t")
				}
				args = append(append(args, flag, label), rest...)
				var stdout, stderr strings.Builder
				parsing.Lock()
				code := program(args, strings.NewReader("%PDF-1.7"), &stdout, &stderr)
				parsing.Unlock()
				if code != exitUsage {
					t.Errorf("%s %s with %s: exit %d, %q, want %d", command, flag, what, code, stderr.String(), exitUsage)
				}
				if strings.ContainsAny(stderr.String(), "\x1b\x00\u202e") {
					t.Errorf("%s %s with %s reaches the terminal: %q", command, flag, what, stderr.String())
				}
			}
		}
	}
}
