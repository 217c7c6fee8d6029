package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/internal/submitter"
)

func submitCommand() *cli.Command {
	return &cli.Command{
		Name:      "submit",
		Usage:     "enqueue documents for the workers and print their ids",
		ArgsUsage: "DOCUMENT…",
		Description: `Once an id is printed, nothing is lost. The ids are printed in the order of
the documents; a document that is submitted again is another extraction, unless both
commands have the same --idempotency-key.
` + documentHelp + `

Examples:

   extractq submit --account acme --type tax_forms 1040.pdf
   extractq submit --account acme --type invoices --batch monday inbox/
   extractq submit --account acme --type invoices --idempotency-key monday inbox/
   extractq submit --account acme --type tax_forms --callback-url https://example.com/hook 1040.pdf
   extractq submit --server http://127.0.0.1:8080 --account acme --type tax_forms 1040.pdf
   extractq watch --batch monday`,
		Flags: append(inputFlags(),
			&cli.StringFlag{Name: "idempotency-key", Usage: "accept no document twice that is submitted again with this `KEY`, as by the same command after an interruption"},
			&cli.BoolFlag{Name: "json", Usage: "print extractions in place of ids"},
			&cli.BoolFlag{Name: "wait", Usage: "wait until they are final, and print them"},
			&cli.StringFlag{Name: "format", Usage: "with --wait: table, json, ndjson or csv"},
			&cli.DurationFlag{Name: "timeout", Usage: "with --wait: stop waiting after `DURATION` with exit code 4"},
		),
		Action: func(c *cli.Context) error {
			cfg, err := load(c, slog.LevelWarn)
			if err != nil {
				return err
			}
			if !c.Bool("wait") && (c.IsSet("format") || c.IsSet("timeout")) {
				return errkind.Usagef("submit: --format and --timeout go with --wait")
			}
			if !c.Args().Present() {
				return errkind.Usagef("submit: name at least one document; see extractq submit --help")
			}
			job, err := readInputs(c, cfg)
			if err != nil {
				return err
			}
			return submitDocuments(c, cfg, job)
		},
	}
}

// submitDocuments enqueues what was named. A document that cannot be taken does
// not keep the others back.
func submitDocuments(c *cli.Context, cfg settings, job submitter.Job) error {
	docs, err := documents.Find(c.Context, c.Args().Slice(), c.String("name"), 0, cfg.API.MaxDocument, c.App.Reader)
	if err != nil {
		return err
	}
	defer docs.Close()
	if cfg.server == nil {
		job.WarnUnsigned(cfg.Config, cfg.Say)
	}
	failed := false
	refuse := func(what string, code extraction.Code, err error) {
		failed = true
		cfg.Say("%s: %s: %s", render.Escape(what), code, render.OneLine(err))
	}
	unread := func(what string, err error) { refuse(what, extraction.CodeDocumentUnavailable, err) }
	found, err := docs.Scan(c.Context, false, unread)
	if err == nil {
		err = found.Check(cfg.Say)
	}
	if err != nil {
		return err
	}
	reader, err := job.Opener(cfg.Config, cfg.UserAgent())
	if err != nil {
		return err
	}
	p, err := cfg.openFor(c.Context, job)
	if err != nil {
		return err
	}
	defer p.Close()
	f, err := p.Follow(c.Context, []string{job.Account.Name})
	if err != nil {
		return err
	}
	accepted := 0
	err = docs.Each(c.Context, func(d documents.Source) error {
		e, err := enqueue(c, cfg, p, job, reader, d)
		switch {
		case err == nil && c.Bool("wait"):
			f.Watch(e.Account, e.ID)
			accepted++
		case c.Err() != nil:
			return context.Cause(c.Context)
		case errkind.Of(err) != errkind.None:
			return err
		case err != nil:
			refuse(d.Title(), documents.CodeOf(err), err)
		}
		return nil
	}, func(what string, err error) error { unread(what, err); return nil })
	if err == nil && c.Bool("wait") {
		err = followAll(c, cfg, p, f, accepted)
	}
	if err == nil && failed {
		err = errkind.New(errkind.Failed, errkind.ErrReported)
	}
	return err
}

// enqueue submits one document and prints its id.
func enqueue(c *cli.Context, cfg settings, p backend.Backend, job submitter.Job, o *documents.Opener, d documents.Source) (extraction.Extraction, error) {
	doc, err := o.Open(c.Context, d)
	if err != nil {
		return extraction.Extraction{}, err
	}
	defer doc.Close()
	s := doc.In(job.Template)
	job.WarnSize(doc, cfg.Say)
	key, err := doc.Key(c.String("idempotency-key"))
	if err != nil {
		return extraction.Extraction{}, err
	}
	e, err := p.Submit(c.Context, doc, s, key)
	switch {
	case err != nil:
		return e, err
	case c.Bool("wait"):
		return e, nil
	case c.Bool("json"):
		err = render.WriteJSON(c.App.Writer, e)
	default:
		_, err = fmt.Fprintln(c.App.Writer, e.ID)
	}
	if err != nil { // The others' ids could not be printed either.
		return e, errkind.MarkUnavailable(fmt.Errorf("%s is accepted, but %w", e.ID, err))
	}
	return e, nil
}
