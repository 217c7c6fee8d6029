package commandline

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// CompleteWord is the first argument with which the shells' scripts ask for candidates; the
// words of the line follow, the one to complete last.
const CompleteWord = "__complete"

// Shells are the shells that Script knows.
var Shells = []string{"bash", "zsh", "fish"}

//go:embed scripts
var scripts embed.FS

// Script returns the script with which a shell completes. It asks the program, so that it is
// never out of date.
func Script(shell string) ([]byte, error) { return scripts.ReadFile("scripts/" + shell) }

// Candidate is what a word may become, and what that means.
type Candidate struct{ Text, Meaning string }

// Line is the part of a command line before the word to complete.
type Line struct {
	// Command is the name of the command; empty if there is none yet.
	Command string
	global  []string
}

// Global returns the value of a global flag; empty without one.
func (l Line) Global(name string) (value string) {
	for i, f := range l.global {
		switch n, hasValue, _ := flagName(f); {
		case n != name:
		case hasValue:
			_, value, _ = strings.Cut(f, "=")
		case i+1 < len(l.global):
			value = l.global[i+1]
		}
	}
	return value
}

// Values returns what a flag can be set to, or what the first argument of the command can be if
// flag is empty; nil if that is not known.
type Values func(l Line, flag string) []Candidate

// WriteCandidates writes one a line, as all scripts read it.
func WriteCandidates(w io.Writer, all []Candidate) error {
	var b strings.Builder
	for _, c := range all {
		fmt.Fprintf(&b, "%s\t%s\n", c.Text, c.Meaning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Candidates are what the last of the words may become. There are none if only a file or free
// text is possible: the shell then offers files.
func Candidates(app *cli.App, words []string, values Values) []Candidate {
	if len(words) == 0 {
		return nil
	}
	words, split := joinEquals(words)
	before, word := words[:len(words)-1], words[len(words)-1]
	p := read(app, app.Name, before)
	line := Line{global: p.levels[0].flags}
	if len(p.levels) > 1 {
		line.Command = p.levels[1].name
	}
	var found []Candidate
	flag, value, hasEquals := strings.Cut(word, "=")
	switch {
	case p.bare != "":
		found = values(line, strings.TrimLeft(p.bare, "-"))
	case p.ended:
	case strings.HasPrefix(word, "-") && hasEquals:
		found = values(line, strings.TrimLeft(flag, "-"))
		if split { // This shell completes only what is behind the sign.
			word = value
			break
		}
		for i := range found {
			found[i].Text = flag + "=" + found[i].Text
		}
	case strings.HasPrefix(word, "-"):
		found = p.flags()
	case len(p.rest) == 0:
		found = append(p.commands(), values(line, "")...)
	}
	return slices.DeleteFunc(found, func(c Candidate) bool { return !strings.HasPrefix(c.Text, word) })
}

// joinEquals joins a last word that the shell has split: bash makes three words of --flag=value.
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
func (p *permutation) flags() []Candidate {
	var out []Candidate
	for _, l := range slices.Backward(p.levels) {
		for _, f := range l.known {
			d, ok := f.(cli.DocGenerationFlag)
			if v, visible := f.(cli.VisibleFlag); !ok || visible && !v.IsVisible() {
				continue
			}
			out = append(out, Candidate{"--" + f.Names()[0], oneLine(d.GetUsage())})
		}
	}
	return out
}

// commands are the subcommands of the command.
func (p *permutation) commands() []Candidate {
	var out []Candidate
	for _, c := range p.deepest().commands {
		if !c.Hidden {
			out = append(out, Candidate{c.Name, oneLine(c.Usage)})
		}
	}
	return out
}

// oneLine is a usage text as a shell can show it.
func oneLine(usage string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(usage, "`", "")), " ")
}
