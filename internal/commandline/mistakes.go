package commandline

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"

	"github.com/extractq/extractq/internal/errkind"
)

// NameMistakes gives an application and its commands errors of their own for a wrong flag, which
// say what to type instead.
func NameMistakes(app *cli.App) {
	app.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
		return wrongFlag(err, "", "", app.Flags)
	}
	nameMistakes(app, app.Commands, "")
}

// nameMistakes is NameMistakes for some commands. above are the names of those they belong to.
func nameMistakes(app *cli.App, commands []*cli.Command, above string) {
	for _, command := range commands {
		name := above + command.Name
		command.HideHelpCommand = true // "help" may be a document.
		command.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
			return wrongFlag(err, name+": ", name+" ", command.Flags, app.Flags)
		}
		nameMistakes(app, command.Subcommands, name+" ")
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

// UnknownCommand returns an error that names the commands there are, or the one that is meant.
func UnknownCommand(commands []*cli.Command, word, above string) error {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name
	}
	if near := nearest(word, names); near != "" {
		return errkind.Usagef("unknown command %q; did you mean extractq %s%s?", word, above, near)
	}
	return errkind.Usagef("unknown command %q; see extractq %s--help", word, above)
}
