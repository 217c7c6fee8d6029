package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

// globalFlags are accepted before and after every command.
func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", EnvVars: []string{"EXTRACTQ_CONFIG"}, Usage: "configuration `FILE` (default: extractq.yaml, if there is one)"},
		&cli.StringFlag{Name: "redis", EnvVars: []string{"EXTRACTQ_REDIS_URL"}, Usage: "Redis `URL` (default: from the configuration; run brings its own)"},
		&cli.StringFlag{Name: "data", EnvVars: []string{"EXTRACTQ_DATA_URL"}, Usage: "document store `URL` or directory (default: $XDG_STATE_HOME/extractq)"},
		&cli.StringFlag{Name: "server", EnvVars: []string{backend.ServerEnv}, Usage: "`URL` of an HTTP API, for a producer's commands in place of Redis; its key is in " + backend.KeyEnv},
		&cli.StringFlag{Name: "log-level", Usage: "debug, info, warn or error (default: info for servers, warn otherwise)"},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "text or json"},
	}
}

// settings are what the global flags, the environment and the file say.
type settings struct {
	app.Process
	*render.Console

	// server is the API that a producer's command works with, and serverName its host; nil
	// for Redis.
	server     *client.Client
	serverName string
}

// backend says which backend a producer's command works with.
func (s settings) backend() backend.Config {
	return backend.Config{Process: s.Process, Server: s.server, ServerName: s.serverName, Say: s.Say}
}

// open opens the backend. need says which services it needs if that is Redis.
func (s settings) open(ctx context.Context, need app.OpenFunc) (backend.Backend, error) {
	return backend.Open(ctx, s.backend(), need)
}

// acceptEmptyFlag is the name of the flag that sets acceptEmpty.
const acceptEmptyFlag = "accept-empty-redis"

// acceptEmpty is for the commands that work for others: run, up and the server roles with documents.
func acceptEmpty() cli.Flag {
	return &cli.BoolFlag{Name: acceptEmptyFlag, Usage: "go on with an empty Redis beside a document store that holds extractions; their records are lost"}
}

// waitFlag is the name of the flag that sets waitRedis.
const waitFlag = "wait-for-redis"

// waitForRedis is for the server roles.
func waitForRedis() cli.Flag {
	return &cli.DurationFlag{Name: waitFlag, Value: 30 * time.Second, Usage: "how long to wait at the start for a Redis that is away; 0 fails at once"}
}

// load reads the configuration. level is the log level where no flag sets one.
func load(c *cli.Context, level slog.Level) (settings, error) {
	out := render.NewConsole(c.App.Writer, c.App.ErrWriter)
	log, err := newLogger(out.Err, c.String("log-level"), c.String("log-format"), level)
	if err != nil {
		return settings{}, err
	}
	cfg, err := config.Load(configFile(c.String("config")), config.Options{Providers: app.KnownProviders()})
	if err != nil {
		return settings{}, errkind.New(errkind.Usage, err)
	}
	if s := c.String("redis"); s != "" {
		if cfg.Redis.URL, err = config.RedisURL(s); err != nil {
			return settings{}, errkind.Usagef("--redis: %w", err)
		}
	}
	if s := c.String("data"); s != "" {
		if cfg.Data.URL, err = config.DataURL(s); err != nil {
			return settings{}, errkind.Usagef("--data: %w", err)
		}
	}
	s := settings{
		Process: app.Process{
			Config: cfg, Version: version, Log: log, DataGiven: cfg.Data.URL != "", AcceptEmpty: c.Bool(acceptEmptyFlag),
		},
		Console: out,
	}
	if s.server, s.serverName, err = chosenServer(c); err != nil {
		return settings{}, err
	}
	if s.server != nil {
		cfg.API.MaxDocument = 0 // The server's to say.
	}
	if !s.DataGiven && s.server == nil {
		// Where there is none, the commands that need one say so.
		if dir, err := app.StateDir(); err == nil {
			cfg.Data.URL = config.FileURL(dir)
		}
	}
	return s, nil
}

// configFile is the configuration file: the one that was named, or the default
// where it exists.
func configFile(named string) string {
	if named == "" {
		if _, err := os.Stat(config.DefaultFile); err == nil {
			return config.DefaultFile
		}
	}
	return named
}

func newLogger(w io.Writer, level, format string, otherwise slog.Level) (*slog.Logger, error) {
	l := otherwise
	if level != "" {
		if err := l.UnmarshalText([]byte(level)); err != nil {
			return nil, errkind.Usagef("--log-level: %q is not debug, info, warn or error", level)
		}
	}
	o := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, errkind.Usagef("--log-format: %q is neither text nor json", format)
}
