package backend

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/follow"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/submitter"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// direct works with Redis and the document store.
type direct struct {
	*app.AccountAdmin

	// deletedFrom are the accounts that something was deleted from.
	deletedFrom map[string]bool
	submitter   *submitter.Submitter
}

var _ Backend = (*direct)(nil)

func newDirect(cfg Config, svc *app.Services) *direct {
	if cfg.Rules != nil {
		svc.Client = svc.Client.With(func(context.Context, string, string) (intake.Rules, error) { return *cfg.Rules, nil })
	}
	return &direct{
		AccountAdmin: app.NewAccountAdmin(svc, func() []config.Account { return cfg.Accounts }),
		deletedFrom:  map[string]bool{},
		submitter:    submitter.New(svc.Records, svc.Blobs, cfg.Say).WaitingForStore(),
	}
}

func (d *direct) Accounts(ctx context.Context) ([]string, error) {
	return d.Services.Accounts(ctx, d.Configured())
}

func (d *direct) Find(ctx context.Context, id string) (extraction.Extraction, bool, error) {
	found, err := d.Services.Find(ctx, d.Configured(), id)
	if err != nil || len(found) == 0 {
		return extraction.Extraction{}, false, err
	}
	return found[0].Extraction(), true, nil
}

func (d *direct) List(ctx context.Context, f extraction.Filter) iter.Seq2[extraction.Extraction, error] {
	return func(yield func(extraction.Extraction, error) bool) {
		accounts := []string(f.Account)
		if len(accounts) == 0 {
			var err error
			if accounts, err = d.Accounts(ctx); err != nil {
				yield(extraction.Extraction{}, err)
				return
			}
		}
		for r, err := range d.Records.List(ctx, accounts, f, store.Cursor{}) {
			if err != nil {
				yield(extraction.Extraction{}, errkind.MarkUnavailable(err))
				return
			}
			if !yield(r.Extraction(), nil) {
				return
			}
		}
	}
}

func (d *direct) Result(ctx context.Context, e extraction.Extraction) (*extraction.Result, error) {
	r, err := d.Records.Get(ctx, e.Account, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, NoExtraction(e.ID)
	}
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	e, err = d.Blobs.Whole(ctx, r)
	if err == nil && e.Error != nil {
		return nil, errkind.New(errkind.Failed, fmt.Errorf("%s: %s", e.Error.Code, e.Error.Message))
	}
	return e.Result, errkind.MarkUnavailable(err)
}

func (d *direct) Submit(ctx context.Context, doc *documents.Document, s intake.Submission, key string) (extraction.Extraction, error) {
	s.ID = store.NewID() // Before the first try: the next one must not make a second extraction.
	if key == "" {
		return d.submitter.Submit(ctx, doc, s, d.Client.Submit)
	}
	return d.submitter.Submit(ctx, doc, s, func(ctx context.Context, s intake.Submission) (extraction.Extraction, error) {
		e, _, err := d.Client.SubmitOnce(ctx, s, "", key)
		if errors.Is(err, intake.ErrKeyReused) {
			err = fmt.Errorf("%w: %w", extraction.ErrInvalid, err)
		}
		return e, err
	})
}

func (d *direct) Adopt(ctx context.Context, s intake.Submission, vendorID string) (extraction.Extraction, bool, error) {
	e, err := d.Client.Adopt(ctx, s, vendorID)
	if errors.Is(err, store.ErrFollowed) {
		id, err := d.Records.Follower(ctx, s.Account, vendorID)
		if err != nil {
			return e, false, errkind.MarkUnavailable(err)
		}
		r, err := d.Records.Get(ctx, s.Account, id)
		return r.Extraction(), true, errkind.MarkUnavailable(err)
	}
	if !errors.Is(err, extraction.ErrInvalid) {
		err = errkind.MarkUnavailable(err)
	}
	return e, false, err
}

func (d *direct) Follow(ctx context.Context, accounts []string) (Watcher, error) {
	f, err := follow.New(ctx, follow.Config{Records: d.Records, Accounts: accounts})
	return directWatcher{f, d.Blobs}, err
}

// directWatcher is a Follower that reads the results too.
type directWatcher struct {
	*follow.Follower

	blobs *store.Blobs
}

// Run implements Watcher.
func (w directWatcher) Run(ctx context.Context, stop func() bool, final func(extraction.Extraction, bool) error) error {
	return w.Follower.Run(ctx, stop, func(r store.Record, gone bool) error {
		if gone {
			return final(r.Extraction(), true)
		}
		e, err := w.blobs.Whole(ctx, r)
		if err != nil {
			return errkind.MarkUnavailable(err)
		}
		return final(e, false)
	})
}

func (d *direct) Cancel(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error) {
	return d.Client.Cancel(ctx, e.Account, e.ID)
}

func (d *direct) Retryable(ctx context.Context, e extraction.Extraction, _ bool) error {
	r, err := d.Records.Get(ctx, e.Account, e.ID)
	if err != nil {
		return err
	}
	return d.Client.Retryable(ctx, r)
}

func (d *direct) Retry(ctx context.Context, e extraction.Extraction, resubmit bool) (extraction.Extraction, error) {
	return d.Client.Retry(ctx, e.Account, e.ID, resubmit)
}

func (d *direct) Redeliver(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error) {
	return d.Client.Redeliver(ctx, e.Account, e.ID)
}

func (d *direct) Delete(ctx context.Context, e extraction.Extraction) (intake.Remains, error) {
	left, err := d.Client.Delete(ctx, e.Account, e.ID)
	if err == nil {
		d.deletedFrom[e.Account] = true
	}
	return left, err
}

func (d *direct) Erased(ctx context.Context, id string) (bool, error) {
	accounts, err := d.Accounts(ctx)
	if err != nil {
		return false, err
	}
	for _, account := range accounts {
		erased, err := d.Records.Erased(ctx, account, id)
		if err != nil {
			return false, errkind.MarkUnavailable(err)
		}
		if erased {
			d.deletedFrom[account] = true // The process that deleted it may have died in between.
			return true, nil
		}
	}
	return false, nil
}

func (d *direct) Forget(ctx context.Context) error {
	for account := range d.deletedFrom {
		if err := d.Client.ForgetEvents(ctx, account); err != nil {
			return errkind.MarkUnavailable(err)
		}
	}
	return nil
}

// Unserved asks Redis which workers run.
func (d *direct) Unserved(ctx context.Context, accounts []string) ([]string, error) {
	limits := limiter.New(d.RDB, d.Records)
	var out []string
	for _, name := range accounts {
		served, err := limits.Served(ctx, name)
		if err != nil {
			return nil, errkind.MarkUnavailable(err)
		}
		if !served {
			out = append(out, name)
		}
	}
	return out, nil
}
