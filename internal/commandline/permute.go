// Package commandline is the grammar of the command line: flags before and after arguments, which
// the library does not know, and completion in shells.
package commandline

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/errkind"
)

// Permute puts the arguments into the one order that the library accepts, which stops at the
// first argument that is not a flag: each command's flags right behind its name, and everything
// else at the end. Flags may stand before and after arguments, global ones before and after the
// command; "--" ends them. "-" and negative numbers are arguments. An unknown flag stays with
// its command, and the library names it. A flag at the end without its value is an error: moved
// to the front it would take an argument for it.
func Permute(app *cli.App, args []string) ([]string, error) {
	if len(args) == 0 {
		return args, nil
	}
	p := read(app, args[0], args[1:])
	if p.bare != "" {
		return nil, errkind.Usagef("flag needs an argument: %s", p.bare)
	}
	return p.ordered(), nil
}

// permutation is a command line that is being put in order.
type permutation struct {
	// levels are the application and the commands named so far.
	levels []*level
	// rest are the arguments, and ended whether a "--" stood before some.
	rest  []string
	ended bool
	// bare is a last flag without its value.
	bare string
	// help reports that help is asked for, which needs no arguments.
	help bool
}

// level is a command on the line with what belongs to it.
type level struct {
	name     string
	commands []*cli.Command
	// known are the command's flags, and takesValue the same by name.
	known      []cli.Flag
	takesValue map[string]bool
	flags      []string
}

// read reads the arguments of a program with a name.
func read(app *cli.App, name string, args []string) *permutation {
	root := newLevel(name, app.Commands, app.Flags)
	if !app.HideVersion && cli.VersionFlag != nil {
		root.know(cli.VersionFlag)
	}
	p := &permutation{levels: []*level{root}}
	p.take(args)
	return p
}

func newLevel(name string, commands []*cli.Command, flags []cli.Flag) *level {
	l := &level{name: name, commands: commands, takesValue: map[string]bool{}}
	if cli.HelpFlag != nil {
		l.know(cli.HelpFlag)
	}
	for _, f := range flags {
		l.know(f)
	}
	return l
}

func (l *level) know(f cli.Flag) {
	l.known = append(l.known, f)
	d, ok := f.(cli.DocGenerationFlag)
	for _, name := range f.Names() {
		l.takesValue[name] = !ok || d.TakesValue()
	}
}

func (p *permutation) deepest() *level { return p.levels[len(p.levels)-1] }

func (p *permutation) take(args []string) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			p.ended = true
			p.rest = append(p.rest, args...)
			return
		}
		name, hasValue, isFlag := flagName(arg)
		if !isFlag {
			p.argument(arg)
			continue
		}
		owner, takesValue := p.owner(name)
		owner.flags = append(owner.flags, arg)
		switch {
		case !takesValue:
			p.help = p.help || slices.Contains(cli.HelpFlag.Names(), name)
		case !hasValue && len(args) > 0:
			owner.flags = append(owner.flags, args[0])
			args = args[1:]
		case !hasValue:
			p.bare = arg
		}
	}
}

// flagName is the name in "--name", "-name" and "--name=value".
func flagName(arg string) (name string, hasValue, isFlag bool) {
	if len(arg) < 2 || arg[0] != '-' {
		return "", false, false
	}
	if _, err := strconv.ParseFloat(arg, 64); err == nil {
		return "", false, false
	}
	name, _, hasValue = strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
	return name, hasValue, true
}

// owner is the innermost command that knows the flag; the innermost of all
// where none does.
func (p *permutation) owner(name string) (owner *level, takesValue bool) {
	for _, l := range slices.Backward(p.levels) {
		if takesValue, ok := l.takesValue[name]; ok {
			return l, takesValue
		}
	}
	return p.deepest(), false
}

// argument is a command's name or, after the first that is none, an argument.
func (p *permutation) argument(arg string) {
	if len(p.rest) == 0 {
		for _, c := range p.deepest().commands {
			if c.HasName(arg) {
				p.levels = append(p.levels, newLevel(arg, c.Subcommands, c.Flags))
				return
			}
		}
	}
	p.rest = append(p.rest, arg)
}

func (p *permutation) ordered() []string {
	var all []string
	for _, l := range p.levels {
		all = append(append(all, l.name), l.flags...)
	}
	if p.help && len(p.levels) > 1 {
		return all
	}
	// The library would read a first argument such as -5 as a flag.
	if p.ended || len(p.rest) > 0 && len(p.rest[0]) > 1 && p.rest[0][0] == '-' {
		all = append(all, "--")
	}
	return append(all, p.rest...)
}
