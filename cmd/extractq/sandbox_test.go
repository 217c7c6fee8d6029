package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/sandbox"
)

// parsing keeps command lines from being parsed at the same time: the library's
// flag for help is one for all.
var parsing sync.Mutex

// sandboxArgs parses a command line of the sandbox.
func sandboxArgs(t *testing.T, args ...string) (cfg sandbox.Config, err error) {
	t.Helper()
	latency := sandbox.Latency{}
	app := &cli.App{
		DisableSliceFlagSeparator: true, Flags: sandboxFlags(&latency), Writer: &bytes.Buffer{}, ErrWriter: &bytes.Buffer{},
		Action: func(c *cli.Context) error {
			cfg, err = sandboxConfig(c, latency)
			return nil
		},
	}
	parsing.Lock()
	defer parsing.Unlock()
	if err := app.RunContext(t.Context(), append([]string{"sandbox"}, args...)); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return cfg, err
}

// TestEverySandboxFlagHasAnEffect sets one flag after the other: each changes the
// configuration, and stands in the README.
func TestEverySandboxFlagHasAnEffect(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("a: {fields: {x: y}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"public-url": "http://h", "api-key": "k", "processing-time": "2s", "seed": "7", "rate-limit": "1.5",
		"quota": "3", "quota-counts-calls": "true", "upload-ttl": "1m", "second-upload": "ignore",
		"content-type-check": "off", "expiry": "1h", "rules": rules, "fault": "poll:500=0.5", "failure-rate": "0.1",
		"expire-rate": "0.1", "clock-scale": "60", "drop-fetched": "true", "max-extractions": "5",
		"typless-webhook": "http://h", "webhook-loss": "0.1", "webhook-duplicates": "0.1",
		"strict-types": "true",
	}
	same := cmp.Options{
		cmpopts.IgnoreFields(sandbox.Config{}, "Now", "HTTP", "Logger"),
		cmp.Comparer(func(a, b sandbox.Fault) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b sandbox.Rules) bool { return len(a) == len(b) }),
	}
	for _, f := range sandboxFlags(&sandbox.Latency{}) {
		name := f.Names()[0]
		if name == "listen" {
			continue // the command's own
		}
		value, ok := values[name]
		if !ok {
			t.Errorf("--%s has no value in this test", name)
			continue
		}
		var with []string
		if name == "strict-types" { // Without rules no type would be known.
			with = append(with, "--rules="+rules)
		}
		plain, err := sandboxArgs(t, with...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sandboxArgs(t, append(with, "--"+name+"="+value)...)
		if err != nil || cmp.Equal(plain, got, same) {
			t.Errorf("--%s=%s: %v, and a configuration that is %t the default", name, value, err, cmp.Equal(plain, got, same))
		}
	}
}

// TestSandboxNamesAllThatIsWrong with its flags at once.
func TestSandboxNamesAllThatIsWrong(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("a:\n  fields: {x: '('}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sandboxArgs(t, "--fault=poll:404=1", "--fault=x", "--rules="+rules, "--quota=-1", "--webhook-loss=2", "--content-type-check=loose")
	for _, want := range []string{`fault "poll:404=1"`, `fault "x"`, rules + ":2: a.fields.x: ", "quota -1", "webhook loss 2", `content type check "loose"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %s in it", err, want)
		}
	}
	if _, err := sandboxArgs(t, "--rules="+rules+"x"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error = %v, want that the file is missing", err)
	}
}
