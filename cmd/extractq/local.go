package main

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
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/submitter"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// local is a producer with Redis and the document store at hand.
type local struct {
	svc *app.Services
	cfg settings
	// touched are the accounts that something was removed from.
	touched   map[string]bool
	submitter *submitter.Submitter
}

var _ producer = (*local)(nil)

func newLocal(cfg settings, svc *app.Services) *local {
	return &local{svc: svc, cfg: cfg, touched: map[string]bool{}, submitter: submitter.New(svc.Records, svc.Blobs, cfg.Say).WaitingForStore()}
}

func (l *local) Close() { l.svc.Close() }

func (l *local) accounts(ctx context.Context) ([]string, error) {
	return l.svc.Accounts(ctx, l.cfg.Accounts)
}

func (l *local) find(ctx context.Context, id string) (extraction.Extraction, bool, error) {
	found, err := l.svc.Find(ctx, l.cfg.Accounts, id)
	if err != nil || len(found) == 0 {
		return extraction.Extraction{}, false, err
	}
	return found[0].Extraction(), true, nil
}

func (l *local) list(ctx context.Context, f extraction.Filter) iter.Seq2[extraction.Extraction, error] {
	return func(yield func(extraction.Extraction, error) bool) {
		accounts := []string(f.Account)
		if len(accounts) == 0 {
			var err error
			if accounts, err = l.accounts(ctx); err != nil {
				yield(extraction.Extraction{}, err)
				return
			}
		}
		for r, err := range l.svc.Records.List(ctx, accounts, f, store.Cursor{}) {
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

func (l *local) batch(ctx context.Context, name string) iter.Seq2[place, error] {
	return func(yield func(place, error) bool) {
		accounts, err := l.accounts(ctx)
		if err != nil {
			yield(place{}, err)
			return
		}
		for _, account := range accounts {
			ids, err := l.svc.Records.Batch(ctx, account, name)
			if err != nil {
				yield(place{}, errkind.MarkUnavailable(err))
				return
			}
			for _, id := range ids {
				if !yield(place{account, id}, nil) {
					return
				}
			}
		}
	}
}

func (l *local) result(ctx context.Context, e extraction.Extraction) (*extraction.Result, error) {
	r, err := l.svc.Records.Get(ctx, e.Account, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noExtraction(e.ID)
	}
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	e, err = withResult(ctx, l.svc.Blobs, r)
	if err == nil && e.Error != nil {
		err = errkind.New(errkind.Failed, fmt.Errorf("%s: %s", e.Error.Code, e.Error.Message))
	}
	return e.Result, err
}

func (l *local) submit(ctx context.Context, d *documents.Document, s intake.Submission, key string) (extraction.Extraction, error) {
	s.ID = store.NewID() // Before the first try: the next one must not make a second extraction.
	if key == "" {
		return l.submitter.Submit(ctx, d, s, l.svc.Client.Submit)
	}
	return l.submitter.Submit(ctx, d, s, func(ctx context.Context, s intake.Submission) (extraction.Extraction, error) {
		e, _, err := l.svc.Client.SubmitOnce(ctx, s, "", key)
		if errors.Is(err, intake.ErrKeyReused) {
			err = fmt.Errorf("%w: %w", extraction.ErrInvalid, err)
		}
		return e, err
	})
}

func (l *local) adopt(ctx context.Context, s intake.Submission, vendorID string) (extraction.Extraction, bool, error) {
	e, err := l.svc.Client.Adopt(ctx, s, vendorID)
	switch {
	case errors.Is(err, store.ErrFollowed):
		id, err := l.svc.Records.Follower(ctx, s.Account, vendorID)
		if err != nil {
			return e, false, errkind.MarkUnavailable(err)
		}
		r, err := l.svc.Records.Get(ctx, s.Account, id)
		if err != nil {
			return e, false, errkind.MarkUnavailable(err)
		}
		return r.Extraction(), true, nil
	case errors.Is(err, extraction.ErrInvalid):
		return e, false, err
	case err != nil:
		return e, false, errkind.MarkUnavailable(err)
	}
	return e, false, nil
}

func (l *local) follow(ctx context.Context, accounts []string) (watcher, error) {
	f, err := newFollower(ctx, l.svc.Records, accounts)
	if err != nil {
		return nil, err
	}
	return localWatcher{f, l.svc.Blobs}, nil
}

// localWatcher is a follower that fetches results.
type localWatcher struct {
	*follower

	blobs *store.Blobs
}

// Run is that of a watcher.
func (w localWatcher) Run(ctx context.Context, stop func() bool, final func(extraction.Extraction, bool) error) error {
	return w.follower.Run(ctx, stop, func(r store.Record, gone bool) error {
		if gone {
			return final(r.Extraction(), true)
		}
		e, err := withResult(ctx, w.blobs, r)
		if err != nil {
			return err
		}
		return final(e, false)
	})
}

func (l *local) cancel(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error) {
	return l.svc.Client.Cancel(ctx, e.Account, e.ID)
}

func (l *local) retryable(ctx context.Context, e extraction.Extraction, _ bool) error {
	r, err := l.svc.Records.Get(ctx, e.Account, e.ID)
	if err != nil {
		return err
	}
	return l.svc.Client.Retryable(ctx, r)
}

func (l *local) retry(ctx context.Context, e extraction.Extraction, resubmit bool) (extraction.Extraction, error) {
	return l.svc.Client.Retry(ctx, e.Account, e.ID, resubmit)
}

func (l *local) redeliver(ctx context.Context, e extraction.Extraction) (extraction.Extraction, error) {
	return l.svc.Client.Redeliver(ctx, e.Account, e.ID)
}

func (l *local) remove(ctx context.Context, e extraction.Extraction) (intake.Remains, error) {
	left, err := l.svc.Client.Delete(ctx, e.Account, e.ID)
	if err == nil {
		l.touched[e.Account] = true
	}
	return left, err
}

func (l *local) erased(ctx context.Context, id string) (bool, error) {
	accounts, err := l.accounts(ctx)
	if err != nil {
		return false, err
	}
	for _, account := range accounts {
		erased, err := l.svc.Records.Erased(ctx, account, id)
		if err != nil {
			return false, errkind.MarkUnavailable(err)
		}
		if erased {
			l.touched[account] = true // The one before may have died in the middle.
			return true, nil
		}
	}
	return false, nil
}

func (l *local) forget(ctx context.Context) error {
	for account := range l.touched {
		if err := l.svc.Client.ForgetEvents(ctx, account); err != nil {
			return errkind.MarkUnavailable(err)
		}
	}
	return nil
}

// unserved asks Redis which workers there are.
func (l *local) unserved(ctx context.Context, accounts []string) ([]string, error) {
	limits := limiter.New(l.svc.RDB, l.svc.Records)
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

func (l *local) accountAdmin() accountAdmin {
	return localAccounts{app.NewAccountAdmin(l.svc, func() []config.Account { return l.cfg.Accounts }), l.cfg}
}
