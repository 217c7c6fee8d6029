package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"sync"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// remote is a producer that uses the HTTP API.
type remote struct {
	*client.Client

	cfg settings
	// backlog is said once.
	backlog sync.Once
}

var _ producer = (*remote)(nil)

// openRemote makes sure that a server answers and takes the key.
func openRemote(ctx context.Context, cfg settings) (*remote, error) {
	r := &remote{Client: cfg.server, cfg: cfg}
	return r, r.explain(ctx, r.Check(ctx))
}

// Close has nothing to close.
func (r *remote) Close() {}

// explain is what an error of a call means to the user.
func (r *remote) explain(ctx context.Context, err error) error {
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !ok:
		return err // Of a document, say.
	}
	switch e.Code {
	case client.CodeUnauthorized:
		return errkind.Usagef("the server at %s wants a key of its api.keys in %s, and does not know this one", r.cfg.serverName, apiKeyEnv)
	case client.CodeForbidden:
		return errkind.Usagef("the server at %s refuses this: %s; the key is %s", r.cfg.serverName, e.Detail, apiKeyEnv)
	case client.CodeNotFound:
		return store.ErrNotFound
	case client.CodeFinal:
		return store.ErrFinal
	case client.CodeDocumentGone:
		return intake.ErrDocumentGone
	case client.CodeConflict:
		return refusal(e.Detail)
	case client.CodeResultUnavailable:
		return errkind.New(errkind.Failed, fmt.Errorf("%s: %s", e.Code, e.Detail))
	case client.CodeTooLarge:
		return fmt.Errorf("%w: %s", store.ErrTooLarge, e.Detail)
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		if e.Code != client.CodeNotAPI { // A proxy's says nothing about the request.
			return fmt.Errorf("%w: %s", extraction.ErrInvalid, e.Detail)
		}
	}
	return errkind.MarkUnavailable(fmt.Errorf("the server at %s: %w; see --server (%s)", r.cfg.serverName, err, serverEnv))
}

func (r *remote) accounts(ctx context.Context) ([]string, error) {
	all, err := r.Accounts(ctx)
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = a.Name
	}
	slices.Sort(out)
	return out, r.explain(ctx, err)
}

// chooseRemote is the account of the server's that is named, or the only one. It has
// no key: only its provider's rules are used here.
func chooseRemote(ctx context.Context, cfg settings, name, provider string) (config.Account, error) {
	r, err := openRemote(ctx, cfg)
	if err != nil {
		return config.Account{}, err
	}
	all, err := r.Accounts(ctx)
	if err != nil {
		return config.Account{}, r.explain(ctx, err)
	}
	theirs := *cfg.Config
	theirs.Accounts = nil
	for _, a := range all {
		if a.Provider != "" { // One without has left the server's configuration.
			theirs.Accounts = append(theirs.Accounts, config.Account{
				Name: a.Name, Provider: string(a.Provider), APIKey: config.NewSecret("none"),
			})
		}
	}
	if len(theirs.Accounts) == 0 {
		return config.Account{}, errkind.Usagef("the server at %s has no account that this key may use", cfg.serverName)
	}
	chosen, err := theirs.Account(name, provider)
	if err != nil {
		return chosen, errkind.New(errkind.Usage, err)
	}
	if !slices.Contains(app.AccountNames(theirs.Accounts), chosen.Name) { // Here it would need none.
		return chosen, errkind.Usagef("the server at %s has no account with provider %s", cfg.serverName, provider)
	}
	return chosen, nil
}

func (r *remote) find(ctx context.Context, id string) (extraction.Extraction, bool, error) {
	e, err := r.Get(ctx, id)
	err = r.explain(ctx, err)
	if errors.Is(err, store.ErrNotFound) {
		return e, false, nil
	}
	e.Result = nil
	return e, err == nil, err
}

func (r *remote) list(ctx context.Context, f extraction.Filter) iter.Seq2[extraction.Extraction, error] {
	return func(yield func(extraction.Extraction, error) bool) {
		for e, err := range r.List(ctx, f) {
			if !yield(e, r.explain(ctx, err)) {
				return
			}
		}
	}
}

func (r *remote) batch(ctx context.Context, name string) iter.Seq2[place, error] {
	return func(yield func(place, error) bool) {
		for e, err := range r.List(ctx, extraction.Filter{Batch: name}) {
			if !yield(place{e.Account, e.ID}, r.explain(ctx, err)) {
				return
			}
		}
	}
}

func (r *remote) result(ctx context.Context, e extraction.Extraction) (*extraction.Result, error) {
	out, err := r.Result(ctx, e.ID)
	err = r.explain(ctx, err)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noExtraction(e.ID)
	}
	return out, err
}

func (r *remote) cancel(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error) {
	next, err := r.Cancel(ctx, e.ID)
	return bare(next), r.explain(ctx, err)
}

func (r *remote) retryable(ctx context.Context, e extraction.Extraction, sure bool) error {
	switch {
	case !e.Status.Final():
		return intake.ErrNotFinal
	case e.RetriedBy != "":
		return intake.ErrRetried
	case !sure:
		return nil
	}
	done, err := r.RetryMany(ctx, client.Bulk{IDs: []string{e.ID}, DryRun: true})
	if err == nil && done.Done == 0 {
		if e.Status == extraction.StatusSuccess {
			return intake.ErrSucceeded
		}
		return intake.ErrDocumentGone // The others are seen above.
	}
	return r.explain(ctx, err)
}

func (r *remote) retry(ctx context.Context, e extraction.Extraction, resubmit bool) (extraction.Extraction, error) {
	next, err := r.Retry(ctx, e.ID, resubmit)
	return bare(next), r.explain(ctx, err)
}

func (r *remote) redeliver(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error) {
	if err := r.Redeliver(ctx, e.ID); err != nil {
		return e, r.explain(ctx, err)
	}
	next, ok, err := r.find(ctx, e.ID)
	if err == nil && !ok {
		err = store.ErrNotFound
	}
	return next, err
}

func (r *remote) remove(ctx context.Context, e extraction.Extraction) (intake.Remains, error) {
	left := intake.Remains{ID: e.ID, Account: e.Account, Provider: e.Provider, VendorID: e.Vendor.ID}
	return left, r.explain(ctx, r.Delete(ctx, e.ID))
}

// erased asks for the removal once more, which completes it.
func (r *remote) erased(ctx context.Context, id string) (bool, error) {
	err := r.explain(ctx, r.Delete(ctx, id))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// forget has nothing to do: the server does it with each removal.
func (r *remote) forget(context.Context) error { return nil }

func (r *remote) accountAdmin() accountAdmin { return remoteAccounts{r} }

// unserved is what the server says of its accounts while something waits there.
func (r *remote) unserved(ctx context.Context, accounts []string) ([]string, error) {
	all, err := r.Accounts(ctx)
	var out []string
	for _, a := range all {
		if slices.Contains(accounts, a.Name) && a.LastError != nil && a.LastError.Code == extraction.CodeNoWorker {
			out = append(out, a.Name)
		}
	}
	return out, r.explain(ctx, err)
}

// remoteAccounts is the server's accounts.
type remoteAccounts struct{ *remote }

func (d remoteAccounts) StatesOf(ctx context.Context, names []string) ([]extraction.AccountState, error) {
	all, err := d.Accounts(ctx)
	all = slices.DeleteFunc(all, func(a extraction.AccountState) bool { return !slices.Contains(names, a.Name) })
	return all, d.explain(ctx, err)
}

func (d remoteAccounts) Pause(ctx context.Context, name string) error {
	_, err := d.PauseAccount(ctx, name)
	return d.misuse(ctx, err)
}

func (d remoteAccounts) Resume(ctx context.Context, name string) error {
	_, err := d.ResumeAccount(ctx, name)
	return d.misuse(ctx, err)
}

// misuse is explain for what the command line alone can have asked wrongly.
func (d remoteAccounts) misuse(ctx context.Context, err error) error {
	if err = d.explain(ctx, err); errors.Is(err, extraction.ErrInvalid) {
		return errkind.Usagef("%s", render.OneLine(err))
	}
	return err
}

// remark is for commands that have the configuration.
func (d remoteAccounts) remark([]string) {}

// bare is an extraction as lists have it.
func bare(e extraction.Extraction) extraction.Extraction {
	e.Result = nil
	return e
}
