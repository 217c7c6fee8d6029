package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

var updateReference = flag.Bool("update-reference", false, "write docs/reference.md again")

// TestReference compares docs/reference.md with the commands and their flags.
func TestReference(t *testing.T) {
	t.Parallel()
	const file = "../../docs/reference.md"
	want := reference()
	if *updateReference {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go test ./cmd/extractq -run TestReference -update-reference (-want +got):\n%s", diff)
	}
}

// reference is every command with its flags, as Markdown.
func reference() []byte {
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	var b bytes.Buffer
	b.WriteString(`# Commands and flags

Generated from the program: every command with its flags, as ` + "`extractq COMMAND --help`" + ` shows them.
A flag may stand before or after the arguments; ` + "`--`" + ` ends the flags.

| command | does |
| --- | --- |
`)
	for _, c := range app.Commands {
		fmt.Fprintf(&b, "| [`%s`](#%[1]s) | %s |\n", c.Name, cell(c.Usage))
	}
	b.WriteString("\n## Global flags\n\n")
	flagTable(&b, app.Flags)
	for _, c := range app.Commands {
		commandReference(&b, "", c)
	}
	return b.Bytes()
}

func commandReference(b *bytes.Buffer, above string, c *cli.Command) {
	name := strings.TrimSpace(above + " " + c.Name)
	level := "##"
	if above != "" {
		level = "###"
	}
	fmt.Fprintf(b, "\n%s %s\n\n", level, name)
	fmt.Fprintf(b, "```\nextractq %s\n```\n\n", strings.TrimSpace(name+" [flags] "+c.ArgsUsage))
	fmt.Fprintf(b, "%s.\n", strings.ToUpper(c.Usage[:1])+c.Usage[1:])
	if c.Description != "" {
		fmt.Fprintf(b, "\n%s\n", markdown(c.Description))
	}
	if len(c.Flags) > 0 {
		b.WriteByte('\n')
		flagTable(b, c.Flags)
	}
	for _, sub := range c.Subcommands {
		commandReference(b, name, sub)
	}
}

// markdown turns a description of a help page into Markdown: its indented lines, which are
// commands or lists, into blocks of code.
func markdown(description string) string {
	var out []string
	code := false
	for line := range strings.SplitSeq(strings.TrimSpace(description), "\n") {
		indented := strings.HasPrefix(line, "   ")
		switch {
		case indented && !code:
			out = append(out, "```sh")
			code = true
		case code && !indented && line != "":
			out = append(trimBlank(out), "```", "")
			code = false
		}
		out = append(out, strings.TrimPrefix(line, "   "))
	}
	if code {
		out = append(trimBlank(out), "```")
	}
	return strings.Join(out, "\n")
}

func trimBlank(lines []string) []string {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func flagTable(b *bytes.Buffer, flags []cli.Flag) {
	b.WriteString("| flag | default | meaning |\n| --- | --- | --- |\n")
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		if v, visible := f.(cli.VisibleFlag); !ok || visible && !v.IsVisible() {
			continue
		}
		placeholder, usage := unquote(d.GetUsage())
		spelling := "--" + f.Names()[0]
		if d.TakesValue() {
			spelling += " " + placeholder
		}
		for _, variable := range d.GetEnvVars() {
			usage += "; `" + variable + "`"
		}
		standard := d.GetDefaultText()
		if standard == "" {
			standard = d.GetValue()
		}
		if !d.TakesValue() || standard == "[]" || standard == `""` {
			standard = ""
		}
		if standard != "" {
			standard = "`" + strings.Trim(standard, `"`) + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", spelling, standard, cell(usage))
	}
}

// unquote takes the placeholder out of a flag's usage, as the help page does.
func unquote(usage string) (placeholder, text string) {
	before, rest, ok := strings.Cut(usage, "`")
	if !ok {
		return "VALUE", usage
	}
	name, after, _ := strings.Cut(rest, "`")
	return name, before + name + after
}

// cell is a text that ends no cell of a table and is no markup.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "\n", " ").Replace(s)
}
