package backfill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/follow"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// submitters is how many documents are read and stored at the same time.
const submitters = 4

// quotaLook is how long a run whose quota is used up looks for documents that earlier runs have
// submitted.
const quotaLook = 5 * time.Second

// errPaused ends the submitting of a run whose account the vendor refuses.
var errPaused = errors.New("the account is paused")

// carry submits every document and waits until all are final.
func (b *Backfill) carry(ctx context.Context) error {
	var err error
	if b.follow, err = follow.New(ctx, follow.Config{Records: b.Records, Accounts: []string{b.Account.Name}, Unfinished: b.inFlight}); err != nil {
		return err
	}
	b.slots = make(chan struct{}, max(1000, 2*b.Account.MaxInFlight))

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var submitting sync.WaitGroup
	work := make(chan documents.Source)
	submitting.Go(func() {
		defer close(work)
		if err := b.feed(ctx, work); err != nil {
			cancel(err)
		}
	})
	for range submitters {
		submitting.Go(func() {
			for d := range work {
				if err := b.begin(ctx, d); err != nil {
					cancel(err)
				}
			}
		})
	}
	var allSubmitted atomic.Bool
	var watching sync.WaitGroup
	watching.Go(func() { submitting.Wait(); allSubmitted.Store(true) })
	watching.Go(func() { b.watchDisk(ctx, cancel) })
	watching.Go(func() { b.callbacks.Run(ctx) })

	var notices accountNotices
	nextLook := time.Now()
	watching.Go(func() { b.hasten(ctx) })
	err = b.follow.Run(ctx, func() bool {
		if time.Now().After(nextLook) {
			nextLook = time.Now().Add(time.Second)
			if b.Blobs.RedisLost() { // The worker has found out, and submits nothing any more.
				cancel(b.follow.Lost())
				return false
			}
			state, err := b.limiter.State(ctx, b.Account.Name)
			if err != nil { // The worker waits for it too.
				b.progress.Holds("Redis does not answer, and is tried again\n" + safe)
				return false
			}
			b.look(state, &notices)
			if why := b.refusals.all(state.LastSubmitOK); why != "" {
				cancel(errkind.New(errkind.Failed, fmt.Errorf("%s refused the first %d documents for one reason (%s); no others are submitted: "+
					"check --type and the account, and run the same command again", b.status.vendor, firstDocuments, render.Escape(why))))
			}
			if b.stuck(ctx, state) {
				cancel(errPaused)
			}
		}
		return allSubmitted.Load() && len(b.follow.Waiting()) == 0
	}, func(r store.Record, gone bool) error { return b.finished(ctx, r, gone) })
	cancel(err)
	watching.Wait()
	return b.outcome(ctx, err)
}

// feed sends the documents to work, one by one.
func (b *Backfill) feed(ctx context.Context, work chan<- documents.Source) error {
	return b.Documents.Each(ctx, func(d documents.Source) error {
		select {
		case work <- d:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}, func(what string, err error) error {
		b.fail(what, extraction.CodeDocumentUnavailable, err)
		return nil
	})
}

// outcome is the error that the run ends with.
func (b *Backfill) outcome(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if errors.Is(err, errPaused) {
		state, stateErr := b.limiter.State(context.WithoutCancel(ctx), b.Account.Name)
		if stateErr != nil {
			return errkind.MarkUnavailable(stateErr)
		}
		code, advice := extraction.CodeUnauthorized, fmt.Sprintf("%s rejects the API key of account %q%s", b.status.vendor, b.Account.Name, b.keyFrom())
		if state.Reason == limiter.Quota {
			code, advice = extraction.CodeVendorQuota, fmt.Sprintf("the quota at %s is used up", b.status.vendor)
		}
		if state.Message != "" {
			advice += " (" + state.Message + ")"
		}
		left := int64(b.found.Documents) - b.progress.Finished()
		return errkind.New(errkind.Failed, fmt.Errorf("%s: %s; %d of %d documents are left: run the same command again to continue",
			code, advice, left, b.found.Documents))
	}
	if err != nil {
		return err
	}
	if b.failed.Load() > 0 {
		return errkind.New(errkind.Failed, errkind.ErrReported)
	}
	return nil
}

// stuck reports whether nothing more can be done because the vendor refuses the
// account: at once where the key is refused, and when only submissions are left
// where the plan is used up.
func (b *Backfill) stuck(ctx context.Context, state limiter.State) bool {
	switch state.Reason {
	case limiter.Unauthorized:
		return true
	case limiter.Quota: // First all documents are looked at: earlier runs may have submitted some.
		return b.refusals.open() > quotaLook && !b.polling(ctx)
	case limiter.Active, limiter.Operator, limiter.Unavailable:
	}
	return false
}

// polling reports whether the vendor still has something of this run.
func (b *Backfill) polling(ctx context.Context) bool {
	for page := range slices.Chunk(b.follow.Waiting(), 200) {
		records, err := b.Records.GetAll(ctx, []string{b.Account.Name}, page...)
		if err != nil {
			return true // Redis is away; nothing is known.
		}
		for _, r := range records {
			if r.Status.Final() || r.Step == extraction.StepPoll {
				return true
			}
		}
	}
	return false
}
