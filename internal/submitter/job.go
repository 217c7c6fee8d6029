package submitter

import (
	"context"
	"sync"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
)

// Job is what a command asks of every document, for one account.
type Job struct {
	Account  config.Account
	Provider extraction.Provider
	// Template is the submission of every document, without the document.
	Template intake.Submission
	// Rules are what the account accepts.
	Rules intake.Rules
}

// NewJob returns a Job whose rules are those of a configuration. A server judges URLs by its
// own, so remote accepts all of them here.
func NewJob(cfg *config.Config, a config.Account, p extraction.Provider, t intake.Submission, remote bool) (Job, error) {
	j := Job{Account: a, Provider: p, Template: t, Rules: intake.Rules{
		Provider: a.Provider, Check: p.Check, FetchesURL: p.Traits().FetchesURL, MaxDocument: cfg.API.MaxDocument,
		MaxBacklog: a.MaxBacklog, AnyName: true,
	}}
	if remote {
		accept := func(context.Context, string) error { return nil }
		j.Rules.CheckDocumentURL, j.Rules.CheckCallback = accept, accept
		return j, nil
	}
	document, callback, err := intake.URLChecks(cfg.Fetch.AllowHosts, cfg.Callbacks.AllowHosts)
	if err != nil {
		return j, errkind.New(errkind.Usage, err)
	}
	j.Rules.CheckDocumentURL, j.Rules.CheckCallback = document, once(callback)
	return j, nil
}

// once checks a URL that all documents share only until it is accepted.
func once(check intake.URLCheck) intake.URLCheck {
	var accepted sync.Map
	return func(ctx context.Context, u string) error {
		if _, ok := accepted.Load(u); ok {
			return nil
		}
		err := check(ctx, u)
		if err == nil {
			accepted.Store(u, true)
		}
		return err
	}
}

// Opener returns what opens the documents.
func (j Job) Opener(cfg *config.Config, userAgent string) (*documents.Opener, error) {
	return documents.NewOpener(documents.OpenerConfig{
		AllowHosts: cfg.Fetch.AllowHosts, UserAgent: userAgent, MaxDocument: cfg.API.MaxDocument,
		FetchesURL: j.Provider.Traits().FetchesURL,
	})
}

// WarnSize says that the vendor may refuse a document because of its size; the vendor decides.
func (j Job) WarnSize(d *documents.Document, say func(format string, args ...any)) {
	if line := d.SizeWarning(j.Account.Provider, j.Provider.Traits().WarnBytes); line != "" {
		say("%s", line)
	}
}

// WarnUnsigned says how callbacks become signed, if this configuration signs none. That of
// the workers decides, and it may be another one.
func (j Job) WarnUnsigned(cfg *config.Config, say func(format string, args ...any)) {
	if j.Template.CallbackURL != "" && cfg.Callbacks.Secret.IsZero() {
		say("callbacks.secret is not set: without it at the workers, producers cannot tell that a callback is genuine; " +
			"set it to what echo whsec_$(openssl rand -base64 32) prints")
	}
}
