package main

import (
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/commandline"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
)

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
			if c.NArg() != 1 || !slices.Contains(commandline.Shells, c.Args().First()) {
				return errkind.Usagef("completion: name one shell: %s", strings.Join(commandline.Shells, ", "))
			}
			script, err := commandline.Script(c.Args().First())
			if err != nil {
				return err
			}
			_, err = c.App.Writer.Write(script)
			return err
		},
	}
}

// completions are what a flag of the line, or its first argument, can be.
func completions(l commandline.Line, flag string) []commandline.Candidate {
	switch {
	case flag == "account", flag == "" && l.Command == "accounts":
		return configuredAccounts(l)
	case flag == "" && l.Command == "completion":
		return candidates(commandline.Shells)
	case flag == "provider" && l.Command == "bench":
		return candidates([]string{sensible.Name, typless.Name})
	case flag == "provider":
		var out []commandline.Candidate
		for _, p := range app.KnownProviders() {
			out = append(out, commandline.Candidate{Text: p.Name})
		}
		return out
	case flag == "format":
		all := []render.Format{render.Table, render.JSON, render.NDJSON, render.CSV}
		switch l.Command {
		case "accounts": // It prints no extractions, and only these have a CSV.
			all = all[:3]
		case "bench":
			all = all[:2]
		}
		return candidates(all)
	case flag == "status":
		return candidates(extraction.Statuses())
	case flag == "priority":
		return candidates([]extraction.Priority{extraction.PriorityNormal, extraction.PriorityBulk})
	case flag == "log-level":
		return candidates([]string{"debug", "info", "warn", "error"})
	case flag == "log-format":
		return candidates([]string{"text", "json"})
	}
	return nil
}

// configuredAccounts are none if the configuration is broken: completion cannot print an error.
func configuredAccounts(l commandline.Line) []commandline.Candidate {
	path := l.Global("config")
	if path == "" {
		path = os.Getenv("EXTRACTQ_CONFIG")
	}
	cfg, err := config.Load(configFile(path), config.Options{Providers: app.KnownProviders()})
	if err != nil {
		return nil
	}
	var out []commandline.Candidate
	for _, a := range cfg.Accounts {
		out = append(out, commandline.Candidate{Text: a.Name, Meaning: a.Provider})
	}
	return out
}

func candidates[S ~string](texts []S) []commandline.Candidate {
	out := make([]commandline.Candidate, len(texts))
	for i, text := range texts {
		out[i].Text = string(text)
	}
	return out
}
