package backfill

import (
	"context"
	"sync"
	"time"

	"github.com/extractq/extractq/extraction"
)

// firstDocuments is how many are submitted before the vendor has taken one.
const firstDocuments = 10

// refusals holds the documents of a run back until the vendor has taken one of the first: where
// it refuses all of these for one reason, as an unknown type, it would refuse the others too. All
// methods are safe for concurrent use.
type refusals struct {
	// lastOK is when the vendor had last taken a submission of the account before the run.
	lastOK time.Time
	// over is closed when the vendor has taken one, or two have ended in different ways.
	over chan struct{}

	mu       sync.Mutex
	decided  bool
	admitted int
	refused  int
	why      string
}

func newRefusals() *refusals { return &refusals{over: make(chan struct{})} }

// admit waits until one more document may be submitted.
func (r *refusals) admit(ctx context.Context) error {
	r.mu.Lock()
	r.admitted++
	first := r.admitted <= firstDocuments
	r.mu.Unlock()
	if first {
		return nil
	}
	select {
	case <-r.over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ended notes the end of a document.
func (r *refusals) ended(f *extraction.Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	why := ""
	if f != nil && f.Code == extraction.CodeVendorRejected {
		why = f.Message
		if said := extraction.Said(f.Details["vendor"]); said != "" {
			why = said
		}
	}
	if why == "" || r.refused > 0 && why != r.why {
		r.decide()
		return
	}
	r.refused, r.why = r.refused+1, why
}

// all returns why the vendor refuses all documents; empty if it does not. lastOK is when it last
// took a submission of the account.
func (r *refusals) all(lastOK time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !lastOK.Equal(r.lastOK) {
		r.decide()
	}
	if r.decided || r.refused < firstDocuments {
		return ""
	}
	return r.why
}

func (r *refusals) decide() {
	if !r.decided {
		r.decided = true
		close(r.over)
	}
}
