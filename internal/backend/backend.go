// Package backend is what a producer's commands work with: Redis and the document store
// themselves, or the HTTP API in front of them. Each command is written once, for both.
package backend

import (
	"context"
	"fmt"
	"iter"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
)

// Backend finds, submits and changes extractions. An error about one extraction is one of
// extraction, store or intake, or a Refusal; any other ends the command as it is.
type Backend interface {
	// Accounts are the names of all accounts.
	Accounts(ctx context.Context) ([]string, error)
	// Find returns an extraction without its result; ok is false if the id is unknown.
	Find(ctx context.Context, id string) (e extraction.Extraction, ok bool, err error)
	// List iterates over what a filter chooses, the newest first and without results.
	List(ctx context.Context, f extraction.Filter) iter.Seq2[extraction.Extraction, error]
	// Result returns the result of an extraction that is SUCCESS.
	Result(ctx context.Context, e extraction.Extraction) (*extraction.Result, error)

	// Submit submits a document, once for all submissions with the same idempotency key; an
	// empty key is none. Adopt follows an extraction that the vendor has already; followed
	// reports that it was followed before.
	Submit(ctx context.Context, d *documents.Document, s intake.Submission, key string) (extraction.Extraction, error)
	Adopt(ctx context.Context, s intake.Submission, vendorID string) (e extraction.Extraction, followed bool, err error)
	// Follow returns what waits for extractions of some accounts to become final.
	Follow(ctx context.Context, accounts []string) (Watcher, error)

	Cancel(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error)
	// Retryable says why an extraction is not repeated. sure asks also for what Retry would
	// find out.
	Retryable(ctx context.Context, e extraction.Extraction, sure bool) error
	Retry(ctx context.Context, e extraction.Extraction, resubmit bool) (extraction.Extraction, error)
	Redeliver(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error)
	Delete(ctx context.Context, e extraction.Extraction) (intake.Remains, error)
	// Erased reports whether an id is that of an extraction that was deleted, and completes a
	// deletion that was interrupted.
	Erased(ctx context.Context, id string) (bool, error)
	// Forget completes all deletions. It is called once, after the last.
	Forget(ctx context.Context) error

	// StatesOf returns the states of some accounts.
	StatesOf(ctx context.Context, names []string) ([]extraction.AccountState, error)
	Pause(ctx context.Context, account string) error
	Resume(ctx context.Context, account string) error
	// Unserved are those of some accounts that no worker has.
	Unserved(ctx context.Context, accounts []string) ([]string, error)

	Close()
}

// Watcher waits for extractions to become final. It reports each once.
type Watcher interface {
	Watch(account, id string)
	// Waiting are the ids that are not final yet, and Accounts their accounts.
	Waiting() []string
	Accounts() []string
	// Run calls final for each that becomes final, with its result, until stop says
	// that there is nothing more to wait for, or ctx ends. One that is erased is passed
	// as gone, with its id only.
	Run(ctx context.Context, stop func() bool, final func(e extraction.Extraction, gone bool) error) error
}

// Refusal says why an extraction is left as it is.
type Refusal string

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// Config says which backend to open.
type Config struct {
	app.Process

	// Server is the API to work with, and ServerName its host; nil for Redis.
	Server     *client.Client
	ServerName string
	// Rules judge what is submitted; nil for those that the workers registered.
	Rules *intake.Rules
	// Say prints a line for the user.
	Say func(format string, args ...any)
}

// Open opens the backend. open says which services are needed if that is Redis.
func Open(ctx context.Context, cfg Config, open app.OpenFunc) (Backend, error) {
	if cfg.Server != nil {
		return openHTTP(ctx, cfg)
	}
	svc, err := open(ctx, cfg.Process)
	if err != nil {
		return nil, err
	}
	return newDirect(cfg, svc), nil
}

// ChooseAccount returns the account that is named, or the only one there is.
func ChooseAccount(ctx context.Context, cfg Config, name, provider string) (config.Account, error) {
	if cfg.Server != nil {
		return chooseOfServer(ctx, cfg, name, provider)
	}
	a, err := cfg.Account(name, provider)
	if err != nil {
		return a, errkind.New(errkind.Usage, err)
	}
	return a, nil
}

// NoExtraction is the error for an unknown id.
func NoExtraction(id string) error {
	return errkind.New(errkind.Failed, fmt.Errorf("there is no extraction %q", id))
}
