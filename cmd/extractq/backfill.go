package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/follow"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/internal/submitter"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// backfill carries the documents of one run.
type backfill struct {
	runConfig
	*app.Services

	limiter *limiter.Limiter
	reader  *documents.Opener
	// found is what there is to do.
	found documents.Found
	// journal is nil without --out.
	journal *journal
	lost    lost
	follow  *follow.Follower
	room    chan struct{} // One slot for each extraction that is not final.
	shown   *render.Progress
	failed  atomic.Int64 // Documents that did not end with SUCCESS.
	// forgets says that what has its result is taken out of Redis, which has only
	// this process's memory.
	forgets bool
	// keeps says that what is in Redis survives this process.
	keeps     bool
	outbox    *outbox
	submitter *submitter.Submitter
	// storeFails has why nothing can be written any more.
	storeFails chan error

	// unanswered are the documents for which the vendor only fails.
	unanswered unanswered

	mu      sync.Mutex
	watched map[string]followed // By extraction id.
}

// followed are the documents that an extraction is waited for. Each has a slot of room.
type followed struct {
	name string
	// documents is more than one where the same bytes were named under several paths.
	documents int
}

// submitters is how many documents are read and stored at once.
const submitters = 4

// errPaused ends the submitting of a run whose account the vendor refuses.
var errPaused = errors.New("the account is paused")

// carry submits every document and waits until all are final.
func (b *backfill) carry(ctx context.Context) error {
	var err error
	if b.follow, err = follow.New(ctx, follow.Config{Records: b.Records, Accounts: []string{b.account.Name}, Unfinished: b.inFlight}); err != nil {
		return err
	}
	b.watched = map[string]followed{}
	b.room = make(chan struct{}, max(1000, 2*b.account.MaxInFlight))

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var submitting sync.WaitGroup
	work := make(chan documents.Source)
	submitting.Go(func() {
		defer close(work)
		if err := b.handOut(ctx, work); err != nil {
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
	watching.Go(func() {
		select {
		case err := <-b.storeFails:
			cancel(err)
		case <-ctx.Done():
		}
	})
	if b.journal != nil {
		watching.Go(func() { b.watchDisk(ctx) })
	}
	watching.Go(func() { b.outbox.Run(ctx) })

	var held held
	nextLook := time.Now()
	err = b.follow.Run(ctx, func() bool {
		if time.Now().After(nextLook) {
			nextLook = time.Now().Add(time.Second)
			if b.Blobs.RedisLost() { // The worker looks, and submits nothing any more.
				cancel(b.follow.Lost())
				return false
			}
			state, err := b.limiter.State(ctx, b.account.Name)
			if err != nil {
				return false // Redis is away; the worker waits for it too.
			}
			if line := held.look(b.account.Name, state, time.Now()); line != "" {
				b.Say("%s", line)
			}
			b.holdUp(state, time.Now())
			if b.stuck(ctx, state) {
				cancel(errPaused)
			}
		}
		return allSubmitted.Load() && len(b.follow.Waiting()) == 0
	}, func(r store.Record, gone bool) error { return b.finished(ctx, r, gone) })
	cancel(err)
	watching.Wait()
	return b.verdict(ctx, err)
}

// handOut finds the documents one by one.
func (b *backfill) handOut(ctx context.Context, work chan<- documents.Source) error {
	return b.documents.Each(ctx, func(d documents.Source) error {
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

// verdict is the end of the run: what the user is told and the exit code.
func (b *backfill) verdict(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if errors.Is(err, errPaused) {
		state, stateErr := b.limiter.State(context.WithoutCancel(ctx), b.account.Name)
		if stateErr != nil {
			return errkind.MarkUnavailable(stateErr)
		}
		code, advice := extraction.CodeUnauthorized, "the vendor refuses the key: replace it"
		if state.Reason == limiter.Quota {
			code, advice = extraction.CodeVendorQuota, "the plan is used up"
		}
		if state.Message != "" {
			advice += " (" + state.Message + ")"
		}
		left := int64(b.found.Documents) - b.shown.Finished()
		return errkind.New(errkind.Failed, fmt.Errorf("%s: %s; %d of %d documents are left, the same command again does the rest",
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
func (b *backfill) stuck(ctx context.Context, state limiter.State) bool {
	switch state.Reason {
	case limiter.Unauthorized:
		return true
	case limiter.Quota:
		return !b.polling(ctx)
	case limiter.Active, limiter.Operator, limiter.Unavailable:
	}
	return false
}

// polling reports whether the vendor still has something of this run.
func (b *backfill) polling(ctx context.Context) bool {
	for page := range slices.Chunk(b.follow.Waiting(), 200) {
		records, err := b.Records.GetAll(ctx, []string{b.account.Name}, page...)
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

// begin submits one document, or takes up what an earlier run began. Its error
// ends the run; trouble with the document alone does not.
func (b *backfill) begin(ctx context.Context, d documents.Source) error {
	select {
	case b.room <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	follows, err := b.beginOne(ctx, d)
	if !follows {
		<-b.room
	}
	switch {
	case err == nil, ctx.Err() != nil:
		return nil
	case errkind.Of(err) == errkind.Unavailable, render.IsOutputError(err):
		return err
	}
	b.shown.Skip(render.Failed)
	b.fail(d.Title(), documents.CodeOf(err), err)
	return nil
}

// beginOne reports whether the document has become an extraction to wait for.
func (b *backfill) beginOne(ctx context.Context, d documents.Source) (follows bool, err error) {
	doc, err := b.reader.Open(ctx, d)
	if err != nil {
		return false, err
	}
	defer doc.Close()
	s := doc.In(b.template)
	s.ID = store.NewID()
	b.warnSize(b.settings, doc)
	if b.journal == nil {
		if _, err := b.submitter.Submit(ctx, doc, s, b.Client.Submit); err != nil {
			return false, err
		}
		b.watch(s.ID, d.Title())
		return true, nil
	}
	begun, done, what, err := b.resume(ctx, doc, s.ID)
	for b.submitter.Waits(ctx, err) { // The journal is written to only when Redis has answered.
		begun, done, what, err = b.resume(ctx, doc, s.ID)
	}
	switch {
	case err != nil:
		return false, err
	case what == resumeIt:
		s.ID = begun.ID
		return b.resubmit(ctx, doc, s, begun, done)
	case what != submitIt:
		return what == followIt, nil
	case tooLong(d.Name):
		b.Say("%s: its result will be in %s: no file can have its own name", render.Escape(d.Name), b.resultFile(begun.Name))
	}
	if _, err := b.submitter.Submit(ctx, doc, s, b.noted(b.Client.Submit)); err != nil {
		if errkind.Of(err) != errkind.Unavailable {
			err = errors.Join(err, b.journal.Void(begun))
		}
		return false, err
	}
	b.watch(s.ID, begun.Name) // Only now: an extraction that is not there is gone.
	return true, b.journal.Accepted(s.ID)
}

// resubmit makes an extraction that the journal tells of and Redis does not know: it
// has forgotten it, or it is a repetition. It reports whether it is waited for.
func (b *backfill) resubmit(ctx context.Context, doc *documents.Document, s intake.Submission, old entry, done progressed) (bool, error) {
	b.journal.Resume(done)
	_, err := b.submitter.Submit(ctx, doc, s, b.noted(func(ctx context.Context, s intake.Submission) (extraction.Extraction, error) {
		return b.Client.Resume(ctx, s, b.journal.Begun(done))
	}))
	if errors.Is(err, store.ErrFollowed) { // It was adopted meanwhile.
		id, findErr := b.Records.Follower(ctx, s.Account, done.VendorID)
		if findErr == nil && id != "" {
			b.watch(id, old.Name)
			return true, nil
		}
	}
	if err != nil {
		return false, err
	}
	b.watch(s.ID, old.Name)
	return true, b.journal.Accepted(s.ID)
}

// watch waits for an extraction, which holds the slot of its document from now on.
func (b *backfill) watch(id, name string) {
	b.mu.Lock()
	b.watched[id] = followed{name, b.watched[id].documents + 1}
	b.mu.Unlock()
	b.shown.Add(1)
	b.follow.Watch(b.account.Name, id)
}

// holdUp says for which documents the vendor only fails. While the account is paused, that
// is why.
func (b *backfill) holdUp(state limiter.State, now time.Time) {
	if state.Reason != limiter.Active {
		b.shown.Holds("")
		return
	}
	b.shown.Holds(b.unanswered.text())
	if line := b.unanswered.look(now); line != "" {
		b.Say("%s", line)
	}
}

// inFlight looks at an extraction that is not final.
func (b *backfill) inFlight(r store.Record) {
	b.mu.Lock()
	name := b.watched[r.ID].name
	b.mu.Unlock()
	b.unanswered.see(r, name)
}
