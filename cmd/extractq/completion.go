package main

import (
	"embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
)

// completeWord is the first argument with which the shells' scripts ask for
// candidates; the words of the line follow, the one to complete last.
const completeWord = "__complete"

// shellScripts are the scripts by the name of their shell. They ask the program
// itself, so that they never fall behind it.
//
//go:embed completion
var shellScripts embed.FS

var shells = []string{"bash", "zsh", "fish"}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the script that completes extractq's commands and flags in a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: `For this shell alone, in bash and zsh: source <(extractq completion bash)

Examples, each for every new shell:

   extractq completion bash > ~/.local/share/bash-completion/completions/extractq
   extractq completion zsh > ~/.zfunc/_extractq
   extractq completion fish > ~/.config/fish/completions/extractq.fish`,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 || !slices.Contains(shells, c.Args().First()) {
				return errkind.Usagef("completion: name one shell: %s", strings.Join(shells, ", "))
			}
			script, err := shellScripts.ReadFile("completion/" + c.Args().First())
			if err != nil {
				return err
			}
			_, err = c.App.Writer.Write(script)
			return err
		},
	}
}

// candidate is what a word may become, and what that means.
type candidate struct{ text, meaning string }

// printCandidates writes one a line, as all three scripts read it.
func printCandidates(w io.Writer, all []candidate) error {
	var b strings.Builder
	for _, c := range all {
		fmt.Fprintf(&b, "%s\t%s\n", c.text, c.meaning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// candidates are what the last of the words may become. There are none where
// only a file or free text can stand: the shell then offers files.
func candidates(app *cli.App, words []string) []candidate {
	if len(words) == 0 {
		return nil
	}
	words, split := joinEquals(words)
	before, word := words[:len(words)-1], words[len(words)-1]
	p := permutation{levels: []*level{rootLevel(app, app.Name)}}
	p.take(before)
	var found []candidate
	flag, value, hasEquals := strings.Cut(word, "=")
	switch {
	case p.bare != "":
		found = p.values(p.bare)
	case p.ended:
	case strings.HasPrefix(word, "-") && hasEquals:
		found = p.values(flag)
		if split { // This shell completes what is behind the sign alone.
			word = value
			break
		}
		for i := range found {
			found[i].text = flag + "=" + found[i].text
		}
	case strings.HasPrefix(word, "-"):
		found = p.flags()
	default:
		found = p.words()
	}
	return slices.DeleteFunc(found, func(c candidate) bool { return !strings.HasPrefix(c.text, word) })
}

// joinEquals puts a last word together that the shell has taken apart: bash makes
// three words of --flag=value.
func joinEquals(words []string) (joined []string, split bool) {
	n := len(words)
	switch {
	case n >= 2 && words[n-1] == "=" && strings.HasPrefix(words[n-2], "-"):
		return append(slices.Clone(words[:n-2]), words[n-2]+"="), true
	case n >= 3 && words[n-2] == "=" && strings.HasPrefix(words[n-3], "-"):
		return append(slices.Clone(words[:n-3]), words[n-3]+"="+words[n-1]), true
	}
	return words, false
}

// flags are the long flags of the command and those of the levels above it.
func (p *permutation) flags() []candidate {
	var out []candidate
	for _, l := range slices.Backward(p.levels) {
		for _, f := range l.known {
			d, ok := f.(cli.DocGenerationFlag)
			if v, visible := f.(cli.VisibleFlag); !ok || visible && !v.IsVisible() {
				continue
			}
			out = append(out, candidate{"--" + f.Names()[0], oneLine(d.GetUsage())})
		}
	}
	return out
}

// words are what can stand where no flag does: a command's name, or one of the
// few arguments that are known beforehand.
func (p *permutation) words() []candidate {
	if len(p.rest) > 0 {
		return nil
	}
	var out []candidate
	for _, c := range p.deepest().commands {
		if !c.Hidden {
			out = append(out, candidate{c.Name, oneLine(c.Usage)})
		}
	}
	switch p.command() {
	case "completion":
		out = append(out, plainCandidates(shells)...)
	case "accounts":
		out = append(out, p.accounts()...)
	}
	return out
}

// command is the name of the command on the line, empty where there is none yet.
func (p *permutation) command() string {
	if len(p.levels) == 1 {
		return ""
	}
	return p.levels[1].name
}

// values are what a flag can be set to, where that is known.
func (p *permutation) values(flag string) []candidate {
	switch strings.TrimLeft(flag, "-") {
	case "account":
		return p.accounts()
	case "provider":
		if p.command() == "bench" {
			return plainCandidates([]string{sensible.Name, typless.Name})
		}
		var known []string
		for _, provider := range app.KnownProviders() {
			known = append(known, provider.Name)
		}
		return plainCandidates(known)
	case "format":
		all := []render.Format{render.Table, render.JSON, render.NDJSON, render.CSV}
		switch p.command() {
		case "accounts": // It prints no extractions, which alone have a CSV.
			all = all[:3]
		case "bench":
			all = all[:2]
		}
		return plainCandidates(all)
	case "priority":
		return plainCandidates([]extraction.Priority{extraction.PriorityNormal, extraction.PriorityBulk})
	case "log-level":
		return plainCandidates([]string{"debug", "info", "warn", "error"})
	case "log-format":
		return plainCandidates([]string{"text", "json"})
	}
	return nil
}

// accounts are the configured accounts; none where the configuration is broken,
// since completion cannot print an error.
func (p *permutation) accounts() []candidate {
	path := os.Getenv("EXTRACTQ_CONFIG")
	flags := p.levels[0].flags
	for i, f := range flags {
		switch name, hasValue, _ := flagName(f); {
		case name != "config":
		case hasValue:
			_, path, _ = strings.Cut(f, "=")
		case i+1 < len(flags):
			path = flags[i+1]
		}
	}
	cfg, err := config.Load(configFile(path), config.Options{Providers: app.KnownProviders()})
	if err != nil {
		return nil
	}
	var out []candidate
	for _, a := range cfg.Accounts {
		out = append(out, candidate{a.Name, a.Provider})
	}
	return out
}

func plainCandidates[S ~string](texts []S) []candidate {
	out := make([]candidate, len(texts))
	for i, text := range texts {
		out[i] = candidate{text: string(text)}
	}
	return out
}

// oneLine is a usage text as a shell can show it.
func oneLine(usage string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(usage, "`", "")), " ")
}
