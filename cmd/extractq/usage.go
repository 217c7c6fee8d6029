package main

import (
	"fmt"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"

	"github.com/extractq/extractq/internal/errkind"
)

// complain gives every command its own words for a wrong flag. above are the
// names of the commands that they belong to.
func complain(app *cli.App, commands []*cli.Command, above string) {
	for _, command := range commands {
		name := above + command.Name
		command.HideHelpCommand = true // "help" may be a document.
		command.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
			return wrongFlag(err, name+": ", name+" ", command.Flags, app.Flags)
		}
		complain(app, command.Subcommands, name+" ")
	}
}

var (
	unknownFlag = regexp.MustCompile(`^flag provided but not defined: -+(.+)$`)
	badValue    = regexp.MustCompile(`(?s)^invalid (?:boolean )?value "(.*)" for (?:flag )?-([a-z-]+): (.*)$`)
)

// wrongFlag is the library's error about a flag in words that say what to type instead.
func wrongFlag(err error, prefix, help string, known ...[]cli.Flag) error {
	text := err.Error()
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		var names []string
		for _, flags := range known {
			for _, f := range flags {
				names = append(names, f.Names()...)
			}
		}
		text = "unknown flag --" + m[1]
		if near := nearest(m[1], names); near != "" {
			text += " (did you mean --" + near + "?)"
		}
	}
	if m := badValue.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("--%s: %q: %s", m[2], m[1], m[3])
		for _, flags := range known {
			for _, f := range flags {
				if want := valueOf(f); want != "" && f.Names()[0] == m[2] {
					text = fmt.Sprintf("--%s: %q is not %s", m[2], m[1], want)
				}
			}
		}
	}
	return errkind.Usagef("%s%s; see extractq %s--help", prefix, text, help)
}

// valueOf says what the value of a flag is; empty where the flag says so itself.
func valueOf(f cli.Flag) string {
	switch f.(type) {
	case *cli.DurationFlag:
		return "a duration, such as 90s, 15m or 2h"
	case *cli.IntFlag, *cli.Uint64Flag:
		return "a whole number"
	case *cli.Float64Flag:
		return "a number"
	case *cli.BoolFlag:
		return "true or false"
	}
	return ""
}

// nearest is the name that a mistyped word most likely means; empty where none is close.
func nearest(word string, names []string) string {
	best, found := 0.8, ""
	for _, name := range names {
		near := smetrics.JaroWinkler(name, word, 0.7, 4)
		if len(name) == len(word) && slices.Equal(slices.Sorted(slices.Values([]byte(name))), slices.Sorted(slices.Values([]byte(word)))) {
			near = 1 // Letters have changed places.
		}
		if near > best {
			best, found = near, name
		}
	}
	return found
}

// unknownCommand is an error that names the commands there are, or the one that is meant.
func unknownCommand(commands []*cli.Command, word, above string) error {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name
	}
	if near := nearest(word, names); near != "" {
		return errkind.Usagef("unknown command %q; did you mean extractq %s%s?", word, above, near)
	}
	return errkind.Usagef("unknown command %q; see extractq %s--help", word, above)
}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show the help page of a command",
		ArgsUsage: "[COMMAND…]",
		Description: `Examples:

   extractq help run
   extractq help accounts pause`,
		Action: func(c *cli.Context) error {
			commands, above := c.App.Commands, ""
			for _, word := range c.Args().Slice() {
				var found *cli.Command
				for _, command := range commands {
					if command.HasName(word) {
						found = command
					}
				}
				if found == nil {
					return unknownCommand(commands, word, above)
				}
				commands, above = found.Subcommands, above+word+" "
			}
			again := newApp(c.App.Reader, c.App.Writer, c.App.ErrWriter) // This one has been set up for help.
			return again.RunContext(c.Context, append(append([]string{c.App.Name}, c.Args().Slice()...), "--help"))
		},
	}
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version, and what it was built from",
		Description: `Example:

   extractq version`,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return errkind.Usagef("version takes no arguments")
			}
			var b strings.Builder
			fmt.Fprintf(&b, "extractq version %s\n", c.App.Version)
			if info, ok := debug.ReadBuildInfo(); ok {
				fmt.Fprintf(&b, "built with %s\n", info.GoVersion)
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" || s.Key == "vcs.time" || s.Key == "vcs.modified" && s.Value == "true" {
						fmt.Fprintf(&b, "%s %s\n", strings.TrimPrefix(s.Key, "vcs."), s.Value)
					}
				}
			}
			_, err := fmt.Fprint(c.App.Writer, b.String())
			return err
		},
	}
}
