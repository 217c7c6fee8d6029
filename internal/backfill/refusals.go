package backfill

import (
	"context"
	"sync"
	"time"

	"github.com/extractq/extractq/extraction"
)

// firstDocuments is how many are at the vendor or on their way before it has taken one.
const firstDocuments = 10

// refusals holds the documents of a run back until the vendor has taken one of the first: where
// it refuses all of these for one reason, as an unknown type, it would refuse the others too. All
// methods are safe for concurrent use.
type refusals struct {
	// lastOK is when the vendor had last taken a submission of the account before the run.
	lastOK time.Time
	// places has an element for each of the first documents.
	places chan struct{}
	// over is closed when the others may follow.
	over chan struct{}

	mu      sync.Mutex
	opened  time.Time // Zero while over is open.
	refused int
	why     string
}

func newRefusals() *refusals {
	return &refusals{places: make(chan struct{}, firstDocuments), over: make(chan struct{})}
}

// admit waits until one more document may be submitted.
func (r *refusals) admit(ctx context.Context) error {
	select {
	case <-r.over:
		return nil
	case r.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// release gives the place of a document back that came to no submission.
func (r *refusals) release() {
	select {
	case <-r.places:
	default: // It was admitted after the others.
	}
}

// ended notes the end of a document.
func (r *refusals) ended(f *extraction.Failure) {
	why := ""
	if f != nil && f.Code == extraction.CodeVendorRejected {
		why = f.Message
		if said := extraction.Said(f.Details["vendor"]); said != "" {
			why = said
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if why == "" || r.refused > 0 && why != r.why {
		r.openLocked()
		return
	}
	r.refused, r.why = r.refused+1, why
}

// open lets the others follow, and returns for how long they have been allowed to.
func (r *refusals) open() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.openLocked()
	return time.Since(r.opened)
}

// all returns why the vendor refuses all documents; empty if it does not. lastOK is when it last
// took a submission of the account.
func (r *refusals) all(lastOK time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !lastOK.Equal(r.lastOK) {
		r.openLocked()
	}
	if !r.opened.IsZero() || r.refused < firstDocuments {
		return ""
	}
	return r.why
}

func (r *refusals) openLocked() {
	if r.opened.IsZero() {
		r.opened = time.Now()
		close(r.over)
	}
}
