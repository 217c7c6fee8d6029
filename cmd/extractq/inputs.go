package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
)

// documentHelp says what a DOCUMENT is.
const documentHelp = `
A DOCUMENT is a file; a directory, which is walked for the kinds of document that
vendors read; a quoted pattern such as 'in/**/*.pdf'; an http(s) URL; - for
standard input, with --name; or @FILE, a list of them, one a line or as find -print0
writes it (@- reads the list from standard input). Hidden files and directories are left out.`

// inputFlags say what is wanted of the documents, in run and submit alike.
func inputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "account", Usage: "account `NAME` to submit with; may be left out where there is one"},
		&cli.StringFlag{Name: "provider", Usage: "select the account of one `PROVIDER`; sandbox needs nothing at all"},
		&cli.StringFlag{Name: "type", Usage: "the vendor's document `TYPE`"},
		&cli.StringSliceFlag{Name: "types", Usage: "a `TYPE` that a portfolio may contain (repeatable)"},
		&cli.StringFlag{Name: "config-name", Usage: "force one `CONFIG` of the type"},
		&cli.StringFlag{Name: "environment", Usage: "the vendor's `ENVIRONMENT`"},
		&cli.StringFlag{Name: "customer", Usage: "tenant `LABEL`"},
		&cli.StringFlag{Name: "batch", Usage: "`LABEL` that groups extractions"},
		&cli.StringFlag{Name: "priority", Value: string(extraction.PriorityNormal), Usage: "normal or bulk: bulk goes only when no normal one waits"},
		&cli.StringSliceFlag{Name: "metadata", Usage: "a label `K=V` of your own (repeatable)"},
		&cli.StringFlag{Name: "name", Usage: "what the document on standard input is called, as in `1040.pdf`"},
		&cli.StringSliceFlag{Name: "option", Usage: "an option `K=V` for the vendor: segment_documents_with, extra_data, parse_text_blocks (repeatable)"},
		&cli.StringFlag{Name: "callback-url", Usage: "`URL` that is told of the end, whatever it is; see docs/callbacks.md"},
	}
}

// wanted is what the input flags say, for one account.
type wanted struct {
	account config.Account
	// template is the submission of every document, without the document.
	template intake.Submission
	provider extraction.Provider
	// rules are what the account takes.
	rules intake.Rules
}

// readInputs reads the input flags and asks the provider whether it could take
// such documents at all.
func readInputs(c *cli.Context, cfg settings) (wanted, error) {
	account, err := backend.ChooseAccount(c.Context, cfg.backend(), c.String("account"), c.String("provider"))
	if err != nil {
		return wanted{}, err
	}
	t := intake.Submission{
		Account: account.Name, Provider: account.Provider,
		Type: c.String("type"), Types: c.StringSlice("types"), ConfigName: c.String("config-name"),
		Environment: c.String("environment"), Customer: c.String("customer"), Batch: c.String("batch"),
		Priority: extraction.Priority(c.String("priority")), Options: map[string]any{},
		CallbackURL: c.String("callback-url"),
	}
	if t.Type == "" && len(t.Types) == 0 {
		return wanted{}, errkind.Usagef("--type (or --types, for a portfolio) says what the documents are and is required")
	}
	if err := intake.CheckName(c.String("name")); err != nil {
		return wanted{}, errkind.Usagef("--%s", render.OneLine(err))
	}
	if t.Metadata, err = pairs("metadata", c.StringSlice("metadata")); err != nil {
		return wanted{}, err
	}
	options, err := pairs("option", c.StringSlice("option"))
	if err != nil {
		return wanted{}, err
	}
	for k, v := range options {
		t.Options[k] = v
	}
	p, err := cfg.NewProvider(account)
	if err != nil {
		return wanted{}, err
	}
	w := wanted{account: account, template: t, provider: p}
	if w.rules, err = producerRules(cfg, account, p); err != nil {
		return wanted{}, err
	}
	probe := t
	probe.Name, probe.Document = "document.pdf", http.NoBody
	switch err := w.rules.Judge(c.Context, probe); {
	case c.Err() != nil:
		return wanted{}, context.Cause(c.Context)
	case errors.Is(err, intake.ErrURLRefused):
		return wanted{}, documents.RefusedURL(render.OneLine(err))
	case err != nil:
		return wanted{}, errkind.Usagef("%s", render.OneLine(err))
	}
	return w, nil
}

// producerRules are what an account takes by the configuration of a command. Where a
// server is asked, it judges URLs by its own.
func producerRules(cfg settings, a config.Account, p extraction.Provider) (intake.Rules, error) {
	r := intake.Rules{
		Provider: a.Provider, Check: p.Check, FetchesURL: p.Traits().FetchesURL, MaxDocument: cfg.API.MaxDocument,
		MaxBacklog: a.MaxBacklog, AnyName: true,
	}
	if cfg.server != nil {
		any := func(context.Context, string) error { return nil }
		r.CheckDocumentURL, r.CheckCallback = any, any
		return r, nil
	}
	document, callback, err := intake.URLChecks(cfg.Fetch.AllowHosts, cfg.Callbacks.AllowHosts)
	if err != nil {
		return r, errkind.New(errkind.Usage, err)
	}
	r.CheckDocumentURL, r.CheckCallback = document, once(callback)
	return r, nil
}

// once asks about a URL that all documents have only until it was taken.
func once(check intake.URLCheck) intake.URLCheck {
	var taken sync.Map
	return func(ctx context.Context, u string) error {
		if _, ok := taken.Load(u); ok {
			return nil
		}
		err := check(ctx, u)
		if err == nil {
			taken.Store(u, true)
		}
		return err
	}
}

// open opens the backend for the documents, which are judged by the rules of their account.
func (w wanted) open(ctx context.Context, cfg settings) (backend.Backend, error) {
	b := cfg.backend()
	b.Rules = &w.rules
	return backend.Open(ctx, b, app.OpenStore)
}

// warnSize says that the vendor may refuse the document for its size; the vendor decides.
func (w wanted) warnSize(cfg settings, d *documents.Document) {
	if line := d.SizeWarning(w.account.Provider, w.provider.Traits().WarnBytes); line != "" {
		cfg.Say("%s", line)
	}
}

// opener returns what opens the documents.
func (w wanted) opener(cfg settings) (*documents.Opener, error) {
	return documents.NewOpener(documents.OpenerConfig{
		AllowHosts: cfg.Fetch.AllowHosts, UserAgent: cfg.UserAgent(), MaxDocument: cfg.API.MaxDocument,
		FetchesURL: w.provider.Traits().FetchesURL,
	})
}

// pairs reads K=V flags.
func pairs(flag string, values []string) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range values {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, errkind.Usagef("--%s: %q has not the form K=V", flag, s)
		}
		if _, twice := out[k]; twice {
			return nil, errkind.Usagef("--%s: %s is given twice", flag, k)
		}
		out[k] = v
	}
	return out, nil
}

// warnUnsigned says how callbacks become signed, where this configuration signs
// none. That of the workers decides, and it may be another one.
func warnUnsigned(cfg settings, url string) {
	if url != "" && cfg.server == nil && cfg.Callbacks.Secret.IsZero() {
		cfg.Say("callbacks.secret is not set: without it at the workers, producers cannot tell that a callback is genuine; " +
			"set it to what echo whsec_$(openssl rand -base64 32) prints")
	}
}
