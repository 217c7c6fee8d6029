package main

import (
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/errkind"
)

// overHTTP are the commands that work with an API as well as with Redis.
var overHTTP = []string{
	"submit", "adopt", "status", "result", "list", "watch", "cancel", "retry", "delete", "redeliver", "accounts", "pause", "resume",
}

// refuseServer lets all other commands refuse a --server: nothing would come of it
// there. One in the environment is for those that can use it.
func refuseServer(commands []*cli.Command) {
	for _, command := range commands {
		refuseServer(command.Subcommands)
		if slices.Contains(overHTTP, command.Name) {
			continue
		}
		name := command.Name
		command.Before = func(c *cli.Context) error {
			if givenByFlag(c, "server", backend.ServerEnv) {
				return errkind.Usagef("%s works with Redis and the document store itself, not through an API: leave out --server", name)
			}
			return nil
		}
	}
}

// chosenServer is the API that the command works with; nil for Redis. A flag beats
// the environment; --server and --redis are two answers to one question.
func chosenServer(c *cli.Context) (*client.Client, string, error) {
	address := c.String("server")
	flag, redis := givenByFlag(c, "server", backend.ServerEnv), givenByFlag(c, "redis", "EXTRACTQ_REDIS_URL")
	switch {
	case flag && redis:
		return nil, "", errkind.Usagef("--server and --redis exclude each other: a command works with an API, or with Redis itself")
	case address == "", redis, !slices.Contains(overHTTP, c.Command.Name):
		return nil, "", nil
	}
	s, err := client.New(client.Config{URL: address, Key: os.Getenv(backend.KeyEnv), UserAgent: "extractq/" + version})
	if err != nil {
		return nil, "", errkind.Usagef("--server (%s): %w; the key is %s", backend.ServerEnv, err, backend.KeyEnv)
	}
	return s, app.ShownHost(address), nil
}

// givenByFlag reports whether a flag stands on the command line: the library counts
// its variable too.
func givenByFlag(c *cli.Context, name, variable string) bool {
	return c.IsSet(name) && c.String(name) != os.Getenv(variable)
}
