package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/internal/submitter"
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
		&cli.StringFlag{Name: "callback-url", Usage: "`URL` that receives a callback at the end, whatever the status; see docs/callbacks.md"},
	}
}

// readInputs reads the input flags and asks the provider whether it could take
// such documents at all.
func readInputs(c *cli.Context, cfg settings) (submitter.Job, error) {
	account, err := backend.ChooseAccount(c.Context, cfg.backend(), c.String("account"), c.String("provider"))
	if err != nil {
		return submitter.Job{}, err
	}
	t := intake.Submission{
		Account: account.Name, Provider: account.Provider,
		Type: c.String("type"), Types: c.StringSlice("types"), ConfigName: c.String("config-name"),
		Environment: c.String("environment"), Customer: c.String("customer"), Batch: c.String("batch"),
		Priority: extraction.Priority(c.String("priority")), Options: map[string]any{},
		CallbackURL: c.String("callback-url"),
	}
	if t.Type == "" && len(t.Types) == 0 {
		return submitter.Job{}, errkind.Usagef("--type is required: the document type as it is configured at the vendor (or --types, for files that hold several documents)")
	}
	if err := intake.CheckName(c.String("name")); err != nil {
		return submitter.Job{}, errkind.Usagef("--%s", render.OneLine(err))
	}
	if t.Metadata, err = pairs("metadata", c.StringSlice("metadata")); err != nil {
		return submitter.Job{}, err
	}
	options, err := pairs("option", c.StringSlice("option"))
	if err != nil {
		return submitter.Job{}, err
	}
	for k, v := range options {
		t.Options[k] = v
	}
	p, err := cfg.NewProvider(account)
	if err != nil {
		return submitter.Job{}, err
	}
	job, err := submitter.NewJob(cfg.Config, account, p, t, cfg.server != nil)
	if err != nil {
		return job, err
	}
	probe := t
	probe.Name, probe.Document = "document.pdf", http.NoBody
	switch err := job.Rules.Judge(c.Context, probe); {
	case c.Err() != nil:
		return job, context.Cause(c.Context)
	case errors.Is(err, intake.ErrURLRefused):
		return job, documents.RefusedURL(render.OneLine(err))
	case err != nil:
		return job, errkind.Usagef("%s", render.OneLine(err))
	}
	return job, nil
}

// openFor opens the backend for the documents of a job, which are judged by its rules.
func (s settings) openFor(ctx context.Context, job submitter.Job) (backend.Backend, error) {
	b := s.backend()
	b.Rules = &job.Rules
	return backend.Open(ctx, b, app.OpenStore)
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
