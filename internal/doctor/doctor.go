// Package doctor checks the configuration, Redis, the document store and every account, and
// says what to fix. It changes nothing that lasts.
package doctor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

// Finding is the result of one check.
type Finding struct {
	Check   string `json:"check"`
	State   State  `json:"state"`
	Message string `json:"message"`
}

// State is a finding's first word.
type State string

// The states.
const (
	OK   State = "ok"
	Note State = "note"
	Fix  State = "fix"
	Away State = "away"
)

// checks makes checks and collects their findings. It changes nothing that lasts.
type checks struct {
	findings []Finding
	// rdb is nil if Redis cannot be reached.
	rdb redis.UniversalClient
}

func (d *checks) found(check string, state State, format string, args ...any) {
	d.findings = append(d.findings, Finding{check, state, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")})
}

// Config says what to check.
type Config struct {
	app.Process

	// File is the name of the configuration file; empty if there is none.
	File string
	// Vendors makes one free call for each account.
	Vendors bool
	// Deep reads every record, document and result.
	Deep bool
}

// Check makes all checks that the results of the earlier ones allow.
func Check(ctx context.Context, cfg Config) ([]Finding, error) {
	d := &checks{}
	d.redis(ctx, cfg.Process)
	if d.rdb != nil {
		defer func() { _ = d.rdb.Close() }()
	}
	d.workers(ctx, cfg.Process)
	later := d.findings // The configuration is reported first, and its check needs the workers.
	d.findings = nil
	d.configuration(ctx, cfg)
	d.webhooks(cfg.Process)
	d.findings = append(d.findings, later...)
	d.documents(ctx, cfg.Process)
	if cfg.Deep {
		d.deep(ctx, cfg.Process)
	}
	if cfg.Vendors {
		d.accounts(ctx, cfg.Process)
	}
	return d.findings, context.Cause(ctx) // After a signal, what was not checked is not a finding.
}

// Misconfigured returns the findings about a configuration that cannot be read.
func Misconfigured(err error) []Finding {
	d := &checks{}
	for problem := range strings.SplitSeq(err.Error(), "\n") {
		d.found("configuration", Fix, "%s", problem)
	}
	return d.findings
}

// CheckServer checks that one server of ours responds. An image without a shell has nothing
// else that could.
func CheckServer(ctx context.Context, address string) ([]Finding, error) {
	d := &checks{}
	asking, cancel := context.WithTimeoutCause(ctx, healthzTimeout, errTooSlow)
	defer cancel()
	req, err := http.NewRequestWithContext(asking, http.MethodGet, address, http.NoBody)
	if err != nil || req.URL.Host == "" {
		return nil, errkind.Usagef("--healthz: want a URL such as http://127.0.0.1:8080/healthz")
	}
	// No proxy stands between a server and itself.
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		d.found("server", Away, "%v", err)
		return d.findings, context.Cause(ctx)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		d.found("server", Away, "%s answers %s", app.ShownURL(address), resp.Status)
		return d.findings, nil
	}
	d.found("server", OK, "%s answers", app.ShownURL(address))
	return d.findings, nil
}

// healthzTimeout is less than the usual time-out of a health check.
const healthzTimeout = 3 * time.Second

func (d *checks) configuration(ctx context.Context, cfg Config) {
	file := cfg.File
	if file == "" {
		file = "no file, and the environment"
	}
	switch n := len(cfg.Accounts); n {
	case 0:
		if all := d.served(ctx, cfg.Process); len(all) > 0 {
			d.found("configuration", Note, "%s: no accounts; the workers have %s", file, strings.Join(all, ", "))
			return
		}
		_, err := cfg.Account("", "")
		d.found("configuration", Fix, "%s: %v", file, err)
	default:
		d.found("configuration", OK, "%s: accounts: %s", file, strings.Join(app.AccountNames(cfg.Accounts), ", "))
	}
}

// Verdict is an error of kind Usage if something has to be fixed, and of kind Unavailable if
// something is away.
func Verdict(all []Finding) error {
	away := false
	for _, f := range all {
		if f.State == Fix {
			return errkind.New(errkind.Usage, errkind.ErrReported)
		}
		away = away || f.State == Away
	}
	if away {
		return errkind.MarkUnavailable(errkind.ErrReported)
	}
	return nil
}

// Write prints findings as a table, or as one JSON object a line.
func Write(w io.Writer, asJSON bool, all []Finding) error {
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

// stateOf distinguishes what has to be fixed from what may return without a change.
func stateOf(err error) State {
	if errkind.Of(err) == errkind.Unavailable && !redis.IsAuthError(err) && !redis.IsPermissionError(err) {
		return Away
	}
	return Fix
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
