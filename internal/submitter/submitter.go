// Package submitter hands in the documents of a command that waits for a Redis, or a document
// store, that is away. A document becomes one extraction, however often it has to be submitted.
package submitter

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/store"
)

const (
	// retryEvery is the time between two tries while Redis is away.
	retryEvery = 500 * time.Millisecond
	// maxOutage is how long Redis may be away.
	maxOutage = 30 * time.Second
	// backlogEvery is the time between two tries while the account accepts no more.
	backlogEvery = time.Second
)

// Send is one try to submit a document.
type Send func(context.Context, intake.Submission) (extraction.Extraction, error)

// Submitter submits documents. It is safe for concurrent use.
type Submitter struct {
	records *store.Records
	blobs   *store.Blobs
	say     func(format string, args ...any)
	// waitsForStore says that it waits for the document store too.
	waitsForStore bool

	mu sync.Mutex
	// since is when the present outage began, or when Redis last said that it is about to
	// return; zero if there is none.
	since time.Time
	// backlog is reported once.
	backlog sync.Once
}

// New returns a Submitter. It reports with say what it waits for.
func New(records *store.Records, blobs *store.Blobs, say func(format string, args ...any)) *Submitter {
	return &Submitter{records: records, blobs: blobs, say: say}
}

// WaitingForStore makes the Submitter wait for a document store that accepts no writes too. A
// run ends when its disk is full, so it does not.
func (s *Submitter) WaitingForStore() *Submitter {
	s.waitsForStore = true
	return s
}

// Submit submits a document whose id the caller has chosen. It repeats send while Redis or
// the store is away, or the account accepts no more: a try whose answer was lost may have been accepted,
// and the next one has the same id, so it finds the extraction of the first.
func (s *Submitter) Submit(
	ctx context.Context, d *documents.Document, sub intake.Submission, send Send,
) (extraction.Extraction, error) {
	for {
		if err := store.CheckPair(ctx, s.records, s.blobs); errors.Is(err, store.ErrRedisLost) {
			return extraction.Extraction{}, errkind.MarkUnavailable(err) // The worker would submit nothing.
		}
		e, err := send(ctx, sub)
		if errors.Is(err, store.ErrExists) {
			e, err = s.accepted(ctx, sub)
		}
		if err == nil {
			s.answered()
			return e, nil
		}
		if d.Failed != nil || !s.Waits(ctx, err) && !s.waitsForBacklog(ctx, sub.Account, err) {
			return e, d.Blame(err)
		}
		if err := d.Rewind(); err != nil {
			return e, err
		}
	}
}

// accepted returns the extraction whose id is taken.
func (s *Submitter) accepted(ctx context.Context, sub intake.Submission) (extraction.Extraction, error) {
	r, err := s.records.Get(ctx, sub.Account, sub.ID)
	if errors.Is(err, store.ErrNotFound) { // It was accepted, and deleted since.
		return extraction.Extraction{ID: sub.ID, Account: sub.Account}, nil
	}
	return r.Extraction(), err
}

// waitsForBacklog reports whether the failure is that the account accepts no more, and
// waits before it does.
func (s *Submitter) waitsForBacklog(ctx context.Context, account string, err error) bool {
	if !errors.Is(err, store.ErrBacklog) {
		return false
	}
	s.backlog.Do(func() { s.say("account %s takes no more for now; waiting until it does", account) })
	return wait.For(ctx, backlogEvery) == nil
}
