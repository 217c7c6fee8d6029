package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check the configuration, Redis, the document store and every account, and say what to fix",
		Description: `One line a check: "ok", "note" (it works, but you should know), "fix" (what to
change) or "away" (what does not answer). Each account costs one free call.
Exit code 0 where there is nothing to fix, 2 with a "fix", 3 with an "away" alone.

Examples:

   extractq doctor
   extractq doctor --json
   extractq doctor --no-vendors
   extractq doctor --deep`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line: check, state, message"},
			&cli.BoolFlag{Name: "no-vendors", Usage: "ask no vendor, as a container's health check should not"},
			&cli.BoolFlag{Name: "deep", Usage: "compare all records with their indexes and the document store, and read every document and result"},
			&cli.StringFlag{Name: "healthz", Usage: "check only that the server at `URL` answers, such as http://127.0.0.1:8080/healthz"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return errkind.Usagef("doctor takes no arguments")
			}
			d := &doctor{}
			examine := d.examine
			if c.IsSet("healthz") {
				examine = d.healthz
			}
			if err := examine(c); err != nil {
				return err
			}
			if err := printFindings(c.App.Writer, c.Bool("json"), d.findings); err != nil {
				return err
			}
			return d.verdict()
		},
	}
}

// finding is what one check came to.
type finding struct {
	Check   string `json:"check"`
	State   health `json:"state"`
	Message string `json:"message"`
}

// health is a finding's first word.
type health string

const (
	healthOK   health = "ok"
	healthNote health = "note"
	healthFix  health = "fix"
	healthAway health = "away"
)

// doctor collects findings. It changes nothing that lasts.
type doctor struct {
	findings []finding
	// rdb is nil where no Redis could be reached.
	rdb redis.UniversalClient
}

func (d *doctor) found(check string, state health, format string, args ...any) {
	d.findings = append(d.findings, finding{check, state, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")})
}

// examine makes all checks that the results of the earlier ones allow.
func (d *doctor) examine(c *cli.Context) error {
	cfg, err := load(c, slog.LevelWarn)
	if err != nil {
		for problem := range strings.SplitSeq(err.Error(), "\n") {
			d.found("configuration", healthFix, "%s", problem)
		}
		return nil
	}
	d.redis(c.Context, cfg)
	if d.rdb != nil {
		defer func() { _ = d.rdb.Close() }()
	}
	d.workers(c.Context, cfg)
	later := d.findings // What is configured is said first, and judged by who works.
	d.findings = nil
	d.configuration(c, cfg)
	d.webhooks(cfg)
	d.findings = append(d.findings, later...)
	d.documents(c.Context, cfg)
	if c.Bool("deep") {
		d.deep(c.Context, cfg)
	}
	if !c.Bool("no-vendors") {
		d.accounts(c.Context, cfg)
	}
	return context.Cause(c.Context) // A signal: what was not checked is no finding.
}

// healthz asks one server of ours whether it lives. Images without a shell have
// nothing else that could.
func (d *doctor) healthz(c *cli.Context) error {
	address := c.String("healthz")
	ctx, cancel := context.WithTimeoutCause(c.Context, healthzPatience, errTooSlow)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil || req.URL.Host == "" {
		return errkind.Usagef("--healthz: want a URL such as http://127.0.0.1:8080/healthz")
	}
	// No proxy stands between a server and itself.
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		d.found("server", healthAway, "%v", err)
		return context.Cause(c.Context)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		d.found("server", healthAway, "%s answers %s", app.ShownURL(address), resp.Status)
		return nil
	}
	d.found("server", healthOK, "%s answers", app.ShownURL(address))
	return nil
}

// healthzPatience is less than what a health check is usually given.
const healthzPatience = 3 * time.Second

func (d *doctor) configuration(c *cli.Context, cfg settings) {
	file := configFile(c.String("config"))
	if file == "" {
		file = "no file, and the environment"
	}
	switch n := len(cfg.Accounts); n {
	case 0:
		if all := d.served(c.Context, cfg); len(all) > 0 {
			d.found("configuration", healthNote, "%s: no accounts; the workers have %s", file, strings.Join(all, ", "))
			return
		}
		_, err := cfg.Account("", "")
		d.found("configuration", healthFix, "%s: %v", file, err)
	default:
		d.found("configuration", healthOK, "%s: accounts: %s", file, strings.Join(app.AccountNames(cfg.Accounts), ", "))
	}
}

// verdict is the exit code: what has to be mended comes before what may come
// back by itself.
func (d *doctor) verdict() error {
	away := false
	for _, f := range d.findings {
		if f.State == healthFix {
			return errkind.New(errkind.Usage, errkind.ErrReported)
		}
		away = away || f.State == healthAway
	}
	if away {
		return errkind.MarkUnavailable(errkind.ErrReported)
	}
	return nil
}

func printFindings(w io.Writer, asJSON bool, all []finding) error {
	if asJSON {
		for _, f := range all {
			if err := render.WriteJSON(w, f); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range all {
		if _, err := fmt.Fprintf(t, "%s\t%s\t%s\n", f.State, f.Check, render.Escape(f.Message)); err != nil {
			return err
		}
	}
	return t.Flush()
}

// healthOf tells what a person must mend from what may come back by itself.
func healthOf(err error) health {
	if errkind.Of(err) == errkind.Unavailable && !redis.IsAuthError(err) && !redis.IsPermissionError(err) {
		return healthAway
	}
	return healthFix
}

// keyEnv is the environment variable with the key of a provider.
func keyEnv(a config.Account) string {
	for _, p := range app.Providers {
		if p.Name == a.Provider {
			return p.KeyEnv
		}
	}
	return ""
}
