package backend

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

// The variables that name the API and its key. The key has no flag, which every user of the
// machine could read.
const (
	ServerEnv = "EXTRACTQ_SERVER"
	KeyEnv    = "EXTRACTQ_API_KEY"
)

// overHTTP works with the HTTP API.
type overHTTP struct {
	api *client.Client
	cfg Config
	// backlog is reported once.
	backlog sync.Once
}

var _ Backend = (*overHTTP)(nil)

// openHTTP makes sure that the server responds and accepts the key.
func openHTTP(ctx context.Context, cfg Config) (*overHTTP, error) {
	h := &overHTTP{api: cfg.Server, cfg: cfg}
	return h, h.explain(ctx, h.api.Check(ctx))
}

// Close has nothing to close.
func (h *overHTTP) Close() {}

// explain is what an error of a call means to the user.
func (h *overHTTP) explain(ctx context.Context, err error) error {
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
		return errkind.Usagef("the server at %s wants a key of its api.keys in %s, and does not know this one", h.cfg.ServerName, KeyEnv)
	case client.CodeForbidden:
		return errkind.Usagef("the server at %s refuses this: %s; the key is %s", h.cfg.ServerName, e.Detail, KeyEnv)
	case client.CodeNotFound:
		return store.ErrNotFound
	case client.CodeFinal:
		return store.ErrFinal
	case client.CodeDocumentGone:
		return intake.ErrDocumentGone
	case client.CodeConflict:
		return Refusal(e.Detail)
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
	return errkind.MarkUnavailable(fmt.Errorf("the server at %s: %w; see --server (%s)", h.cfg.ServerName, err, ServerEnv))
}

func (h *overHTTP) Accounts(ctx context.Context) ([]string, error) {
	all, err := h.api.Accounts(ctx)
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = a.Name
	}
	slices.Sort(out)
	return out, h.explain(ctx, err)
}

// chooseOfServer returns the server's account that is named, or its only one. It has no key:
// only its provider's rules are used here.
func chooseOfServer(ctx context.Context, cfg Config, name, provider string) (config.Account, error) {
	h, err := openHTTP(ctx, cfg)
	if err != nil {
		return config.Account{}, err
	}
	all, err := h.api.Accounts(ctx)
	if err != nil {
		return config.Account{}, h.explain(ctx, err)
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
		return config.Account{}, errkind.Usagef("the server at %s has no account that this key may use", cfg.ServerName)
	}
	chosen, err := theirs.Account(name, provider)
	if err != nil {
		return chosen, errkind.New(errkind.Usage, err)
	}
	if !slices.Contains(app.AccountNames(theirs.Accounts), chosen.Name) { // Here it would need none.
		return chosen, errkind.Usagef("the server at %s has no account with provider %s", cfg.ServerName, provider)
	}
	return chosen, nil
}

func (h *overHTTP) Find(ctx context.Context, id string) (extraction.Extraction, bool, error) {
	e, err := h.api.Get(ctx, id)
	err = h.explain(ctx, err)
	if errors.Is(err, store.ErrNotFound) {
		return e, false, nil
	}
	e.Result = nil
	return e, err == nil, err
}

func (h *overHTTP) List(ctx context.Context, f extraction.Filter) iter.Seq2[extraction.Extraction, error] {
	return func(yield func(extraction.Extraction, error) bool) {
		for e, err := range h.api.List(ctx, f) {
			if !yield(e, h.explain(ctx, err)) {
				return
			}
		}
	}
}

func (h *overHTTP) Result(ctx context.Context, e extraction.Extraction) (*extraction.Result, error) {
	out, err := h.api.Result(ctx, e.ID)
	err = h.explain(ctx, err)
	if errors.Is(err, store.ErrNotFound) {
		return nil, NoExtraction(e.ID)
	}
	return out, err
}

func (h *overHTTP) Cancel(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error) {
	next, err := h.api.Cancel(ctx, e.ID)
	return bare(next), h.explain(ctx, err)
}

func (h *overHTTP) Retryable(ctx context.Context, e extraction.Extraction, sure bool) error {
	switch {
	case !e.Status.Final():
		return intake.ErrNotFinal
	case e.RetriedBy != "":
		return intake.ErrRetried
	case !sure:
		return nil
	}
	done, err := h.api.RetryMany(ctx, client.Bulk{IDs: []string{e.ID}, DryRun: true})
	if err == nil && done.Done == 0 {
		if e.Status == extraction.StatusSuccess {
			return intake.ErrSucceeded
		}
		return intake.ErrDocumentGone // The others are seen above.
	}
	return h.explain(ctx, err)
}

func (h *overHTTP) Retry(ctx context.Context, e extraction.Extraction, resubmit bool) (extraction.Extraction, error) {
	next, err := h.api.Retry(ctx, e.ID, resubmit)
	return bare(next), h.explain(ctx, err)
}

func (h *overHTTP) Redeliver(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error) {
	if err := h.api.Redeliver(ctx, e.ID); err != nil {
		return e, h.explain(ctx, err)
	}
	next, ok, err := h.Find(ctx, e.ID)
	if err == nil && !ok {
		err = store.ErrNotFound
	}
	return next, err
}

func (h *overHTTP) Delete(ctx context.Context, e extraction.Extraction) (intake.Remains, error) {
	left := intake.Remains{ID: e.ID, Account: e.Account, Provider: e.Provider, VendorID: e.Vendor.ID}
	return left, h.explain(ctx, h.api.Delete(ctx, e.ID))
}

// erased asks for the removal once more, which completes it.
func (h *overHTTP) Erased(ctx context.Context, id string) (bool, error) {
	err := h.explain(ctx, h.api.Delete(ctx, id))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// forget has nothing to do: the server does it with each removal.
func (h *overHTTP) Forget(context.Context) error { return nil }

// unserved is what the server says of its accounts while something waits there.
func (h *overHTTP) Unserved(ctx context.Context, accounts []string) ([]string, error) {
	all, err := h.api.Accounts(ctx)
	var out []string
	for _, a := range all {
		if slices.Contains(accounts, a.Name) && a.LastError != nil && a.LastError.Code == extraction.CodeNoWorker {
			out = append(out, a.Name)
		}
	}
	return out, h.explain(ctx, err)
}

func (h *overHTTP) StatesOf(ctx context.Context, names []string) ([]extraction.AccountState, error) {
	all, err := h.api.Accounts(ctx)
	all = slices.DeleteFunc(all, func(a extraction.AccountState) bool { return !slices.Contains(names, a.Name) })
	return all, h.explain(ctx, err)
}

func (h *overHTTP) Pause(ctx context.Context, name string) error {
	_, err := h.api.PauseAccount(ctx, name)
	return h.misuse(ctx, err)
}

func (h *overHTTP) Resume(ctx context.Context, name string) error {
	_, err := h.api.ResumeAccount(ctx, name)
	return h.misuse(ctx, err)
}

// misuse is explain for a call that is only refused if the command line is wrong.
func (h *overHTTP) misuse(ctx context.Context, err error) error {
	if err = h.explain(ctx, err); errors.Is(err, extraction.ErrInvalid) {
		return errkind.Usagef("%s", render.OneLine(err))
	}
	return err
}

// bare is an extraction as lists have it.
func bare(e extraction.Extraction) extraction.Extraction {
	e.Result = nil
	return e
}
