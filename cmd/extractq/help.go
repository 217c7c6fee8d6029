package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/commandline"
	"github.com/extractq/extractq/internal/errkind"
)

// helpFlag is that of the program. The library adds its own only where no command is called help.
func helpFlag() cli.Flag {
	return &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show help", DisableDefaultText: true}
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
					return commandline.UnknownCommand(commands, word, above)
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
