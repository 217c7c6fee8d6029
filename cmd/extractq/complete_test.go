package main

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
)

// What a flag sets can be set for good in the configuration, or there is a reason
// why not. A flag may have several meanings: "COMMAND --flag" comes before "--flag".
var (
	flagFields = map[string]string{
		"--redis": "Redis.URL", "--data": "Data.URL", "--listen": "API.Listen",
		"--account": "Accounts.Name", "--provider": "Accounts.Provider", "--rate": "Accounts.Rate",
		"--poll-price": "Accounts.PollPrice", "--max-in-flight": "Accounts.MaxInFlight", "--sweep": "Accounts.Sweep",
	}
	flagReasons = map[string]string{
		"--config": "says where the configuration is",
		"--server": "is for machines without a configuration",
	}
	// becauseOf are reasons that many flags share.
	becauseOf = map[string][]string{
		"is of one process": {"--help", "--log-level", "--log-format", "--operator", "--no-auth"},
		"is of one call, or of what the call is about": {
			"--type", "--types", "--config-name", "--environment", "--customer", "--batch", "--priority", "--metadata",
			"--option", "--name", "--idempotency-key", "--out", "--retry-failed", "--accept-empty-redis", "--wait-for-redis", "--limit", "--timeout", "--format", "--json", "--wait", "--dry-run",
			"--yes", "--status", "--error", "--since", "--until", "--resubmit", "--no-vendors", "--deep", "--healthz", "--callback-url",
			"list --account", "cancel --account", "retry --account", "delete --account", "redeliver --account",
			"--replay", "--documents", "--warm-up", "--law", "--arrive", "--webhooks", "--svg", "bench --seed",
		},
	}
)

// withoutConfiguration are commands that read none.
var withoutConfiguration = []string{"sandbox", "completion"}

// eachCommand calls f for every command with its full name.
func eachCommand(commands []*cli.Command, above string, f func(name string, c *cli.Command)) {
	for _, c := range commands {
		name := strings.TrimSpace(above + " " + c.Name)
		f(name, c)
		eachCommand(c.Subcommands, name, f)
	}
}

// TestEveryFlagIsConfigurable fails for a flag that is not listed here, and for
// listed ones that are gone.
func TestEveryFlagIsConfigurable(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{}
	maps.Copy(reasons, flagReasons)
	for reason, flags := range becauseOf {
		for _, flag := range flags {
			reasons[flag] = reason
		}
	}
	used := map[string]bool{}
	check := func(command string, flags []cli.Flag) {
		for _, f := range flags {
			flag := "--" + f.Names()[0]
			key := command + " " + flag
			if reasons[key] == "" && flagFields[key] == "" {
				key = flag
			}
			used[key] = true
			if reasons[key] == "" && flagFields[key] == "" {
				t.Errorf("%s %s: name its field of config.Config, or the reason why it has none", command, flag)
			}
		}
	}
	app := newApp(strings.NewReader(""), &strings.Builder{}, &strings.Builder{})
	check("extractq", app.Flags)
	eachCommand(app.Commands, "", func(name string, c *cli.Command) {
		if !slices.Contains(withoutConfiguration, name) {
			flags := slices.DeleteFunc(slices.Clone(c.Flags), func(f cli.Flag) bool {
				return f.Names()[0] == "processing-time" // The sandbox's, wherever it runs.
			})
			check(name, flags)
		}
	})
	for flag := range reasons {
		if !used[flag] {
			t.Errorf("there is a reason for %s, but no such flag", flag)
		}
	}
	for flag, path := range flagFields {
		if !used[flag] {
			t.Errorf("%s has the field %s, but there is no such flag", flag, path)
		}
		if !hasField(reflect.TypeFor[config.Config](), strings.Split(path, ".")) {
			t.Errorf("%s: config.Config has no field %s", flag, path)
		}
	}
}

func hasField(of reflect.Type, path []string) bool {
	for _, name := range path {
		if of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		f, ok := of.FieldByName(name)
		if !ok {
			return false
		}
		of = f.Type
	}
	return true
}

// code is what stands in backquotes.
var code = regexp.MustCompile("`([^`]+)`")

// row is a line of a Markdown table: the words in backquotes of each column.
type row [][]string

// tableRows are the rows of all tables below a heading, up to the next one of the
// same level or above.
func tableRows(t *testing.T, file, heading string) []row {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	if heading != "" {
		_, below, ok := strings.Cut(text, "\n"+heading+"\n")
		if !ok {
			t.Fatalf("%s has no heading %q", file, heading)
		}
		text, _, _ = strings.Cut(below, "\n"+strings.Repeat("#", strings.Count(heading, "#"))+" ")
	}
	var rows []row
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") {
			continue
		}
		var r row
		for column := range strings.SplitSeq(strings.Trim(strings.ReplaceAll(line, `\|`, "¦"), "| \n"), " | ") {
			var words []string
			for _, m := range code.FindAllStringSubmatch(column, -1) {
				words = append(words, m[1])
			}
			if column == "all" {
				words = append(words, "all")
			}
			r = append(r, words)
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table below %q", file, heading)
	}
	return rows
}

// TestEveryCommandIsDescribed checks that each command is in the README's table,
// and has a help page that explains.
func TestEveryCommandIsDescribed(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, r := range tableRows(t, "../../README.md", "## Commands") {
		for _, line := range r[0] {
			var name []string
			for word := range strings.FieldsSeq(line) {
				if word != strings.ToLower(word) || strings.ContainsAny(word, "-[¦…") {
					break
				}
				name = append(name, word)
			}
			documented[strings.Join(name, " ")] = true
		}
	}
	app := newApp(strings.NewReader(""), &strings.Builder{}, &strings.Builder{})
	eachCommand(app.Commands, "", func(name string, c *cli.Command) {
		if !documented[name] {
			t.Errorf("README.md, Commands: %s has no row", name)
		}
		if c.Usage == "" || !strings.Contains(c.Description, "\n   extractq ") {
			t.Errorf("%s: its help needs a line of usage and an example that begins with extractq", name)
		}
		for _, f := range c.Flags {
			if d, ok := f.(cli.DocGenerationFlag); !ok || d.GetUsage() == "" {
				t.Errorf("%s: --%s says nothing about itself", name, f.Names()[0])
			}
		}
	})
}
