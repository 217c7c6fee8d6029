package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
)

// producer is what a producer's commands work with: the services themselves, or the
// HTTP API in front of them. Each command is written once, for both.
//
// Errors that concern one extraction are those of extraction, store and tasks;
// others end the command as they are.
type producer interface {
	// accounts are the names of all accounts there are.
	accounts(ctx context.Context) ([]string, error)
	// find returns an extraction without its result; ok is false where the id is
	// unknown.
	find(ctx context.Context, id string) (e extraction.Extraction, ok bool, err error)
	// list iterates over what is selected, the newest first and without results.
	list(ctx context.Context, f extraction.Filter) iter.Seq2[extraction.Extraction, error]
	// batch iterates over what is in a batch, of whatever account.
	batch(ctx context.Context, name string) iter.Seq2[place, error]
	// result returns the result of an extraction that is SUCCESS.
	result(ctx context.Context, e extraction.Extraction) (*extraction.Result, error)

	// submit hands in a document, where key is set once for all submissions with that
	// idempotency key. adopt follows what was submitted already; followed reports that
	// it is followed already.
	submit(ctx context.Context, d *documents.Document, s intake.Submission, key string) (extraction.Extraction, error)
	adopt(ctx context.Context, s intake.Submission, vendorID string) (e extraction.Extraction, followed bool, err error)
	// follow waits for extractions of some accounts to become final.
	follow(ctx context.Context, accounts []string) (watcher, error)
	// unserved are those of some accounts that no worker has.
	unserved(ctx context.Context, accounts []string) ([]string, error)

	cancel(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error)
	// retryable says why one is not repeated. sure asks also for what retry itself
	// would find out.
	retryable(ctx context.Context, e extraction.Extraction, sure bool) error
	retry(ctx context.Context, e extraction.Extraction, resubmit bool) (extraction.Extraction, error)
	redeliver(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error)
	remove(ctx context.Context, e extraction.Extraction) (intake.Remains, error)
	// erased reports whether an id is of an extraction that is gone, and completes
	// what may have been interrupted of that.
	erased(ctx context.Context, id string) (bool, error)
	// forget completes the removals there were.
	forget(ctx context.Context) error

	accountAdmin() accountAdmin
	Close()
}

// place is an extraction's account and id.
type place struct{ account, id string }

// watcher waits for extractions to become final. It tells of each once.
type watcher interface {
	Watch(account, id string)
	Waiting() []string
	// Accounts are those of what is waited for.
	Accounts() []string
	// Run calls final for each that becomes final, with its result, until stop says
	// that there is nothing more to wait for, or ctx ends. One that is erased is passed
	// as gone, with its id only.
	Run(ctx context.Context, stop func() bool, final func(e extraction.Extraction, gone bool) error) error
}

// accountAdmin shows and changes the state of accounts.
type accountAdmin interface {
	StatesOf(ctx context.Context, names []string) ([]extraction.AccountState, error)
	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
	// remark says what is odd about accounts that are shown.
	remark(names []string)
}

// openProducer opens what the command line names. open says what is needed where
// that is Redis.
func openProducer(ctx context.Context, cfg settings, open app.OpenFunc) (producer, error) {
	if cfg.server != nil {
		return openRemote(ctx, cfg)
	}
	svc, err := open(ctx, cfg.Process)
	if err != nil {
		return nil, err
	}
	return newLocal(cfg, svc), nil
}

// openSubmitter is openProducer for a command that hands documents in.
func openSubmitter(ctx context.Context, cfg settings, want wanted) (producer, error) {
	p, err := openProducer(ctx, cfg, app.OpenStore)
	if l, ok := p.(*local); ok {
		l.svc.Client = want.judge(l.svc.Client)
	}
	return p, err
}

// chooseAccount is the account that is named, or the only one.
func chooseAccount(ctx context.Context, cfg settings, name, provider string) (config.Account, error) {
	if cfg.server != nil {
		return chooseRemote(ctx, cfg, name, provider)
	}
	a, err := cfg.Account(name, provider)
	if err != nil {
		return a, errkind.New(errkind.Usage, err)
	}
	return a, nil
}

// noExtraction is the error for an unknown id.
func noExtraction(id string) error {
	return errkind.New(errkind.Failed, fmt.Errorf("there is no extraction %q", id))
}
