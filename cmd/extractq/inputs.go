package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/tasks"
)

// documentHelp says what a DOCUMENT is.
const documentHelp = `
A DOCUMENT is a file; a directory, which is walked for the kinds of document that
vendors read; a quoted pattern such as 'in/**/*.pdf'; an http(s) URL; - for
standard input, with --name; or @FILE, a list of them, one a line (@- reads the
list from standard input). Hidden files and directories are left out.`

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
	template tasks.Submission
	provider extraction.Provider
}

// readInputs reads the input flags and asks the provider whether it could take
// such documents at all.
func readInputs(c *cli.Context, cfg settings) (wanted, error) {
	account, err := chooseAccount(c.Context, cfg, c.String("account"), c.String("provider"))
	if err != nil {
		return wanted{}, err
	}
	t := tasks.Submission{
		Account: account.Name, Provider: account.Provider,
		Type: c.String("type"), Types: c.StringSlice("types"), ConfigName: c.String("config-name"),
		Environment: c.String("environment"), Customer: c.String("customer"), Batch: c.String("batch"),
		Priority: extraction.Priority(c.String("priority")), Options: map[string]any{},
		CallbackURL: c.String("callback-url"),
	}
	if t.Type == "" && len(t.Types) == 0 {
		return wanted{}, usage("--type (or --types, for a portfolio) says what the documents are and is required")
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
	p, err := newProvider(account, nil)
	if err != nil {
		return wanted{}, err
	}
	probe := t
	probe.Name, probe.URL = "document.pdf", "https://example.com/document.pdf"
	if err := probe.Validate(); err != nil {
		return wanted{}, usage("%s", plain(err))
	}
	if err := checkCallback(c.Context, cfg, t.CallbackURL); err != nil {
		return wanted{}, err
	}
	w := wanted{account: account, template: t, provider: p}
	probe.URL = ""
	if err := w.check(probe); err != nil {
		return wanted{}, usage("%s", plain(err))
	}
	return w, nil
}

// check asks the provider whether it could take the document.
func (w wanted) check(s tasks.Submission) error {
	if s.URL != "" && !w.provider.Traits().FetchesURL {
		return fmt.Errorf("%w: %s does not fetch documents by URL; download it and submit the file",
			extraction.ErrInvalid, w.account.Provider)
	}
	return w.provider.Check(extraction.Submission{
		Name: s.Name, ContentType: s.ContentType, URL: s.URL, Type: s.Type, Types: s.Types,
		ConfigName: s.ConfigName, Environment: s.Environment, Customer: s.Customer, Options: s.Options,
	})
}

// warnSize says what the vendor may refuse; it is the vendor's to decide.
func (w wanted) warnSize(cfg settings, d *opened) {
	limit := w.provider.Traits().WarnBytes
	if d.file == nil || limit <= 0 {
		return
	}
	if info, err := d.file.Stat(); err == nil && info.Size() > limit {
		cfg.say("%s: %d MB may be too large for %s, which is said to take %d MB",
			visible(d.title()), info.Size()>>20, w.account.Provider, limit>>20)
	}
}

// plain is an error in one line, without the words that only mark it as the
// user's.
func plain(err error) string {
	s := strings.ReplaceAll(err.Error(), extraction.ErrInvalid.Error()+": ", "")
	return strings.ReplaceAll(s, "\n", "; ")
}

// pairs reads K=V flags.
func pairs(flag string, values []string) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range values {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, usage("--%s: %q has not the form K=V", flag, s)
		}
		if _, twice := out[k]; twice {
			return nil, usage("--%s: %s is given twice", flag, k)
		}
		out[k] = v
	}
	return out, nil
}
