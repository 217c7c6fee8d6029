package worker

import (
	"errors"
	"fmt"

	"github.com/extractq/extractq/extraction"
)

// A vendor may fail for one document alone, at every poll. While the account works that
// is this document's trouble, and it ends.

// lastPolls is how many polls in a row must have failed before that ends an extraction.
const lastPolls = 5

// neverAnswered reports whether this failure of a poll is the last one: the deadline is
// over, and the account works, because others are answered or because a probe succeeds.
func (s *step) neverAnswered(failures int, others bool) (bool, error) {
	since := s.rec.SubmittedAt
	if since.IsZero() { // It asks about a submission that was not completed.
		since = s.failingSince()
	}
	if failures < lastPolls || s.acct.Deadline <= 0 || s.now().Sub(since) < s.acct.Deadline {
		return false, nil
	}
	if others {
		return true, nil
	}
	verdict, wait, err := s.w.probeNow(s.ctx, s.acct)
	if err != nil || wait > 0 {
		return false, err // The next failure asks again.
	}
	// A key that may not read the list is known to a vendor that answers.
	return verdict == nil || extraction.KindOf(verdict) == extraction.KindForbidden, nil
}

// unanswered is the failure of an extraction whose last polls all failed.
func unanswered(cause error, failures int) *extraction.Failure {
	var vendor any
	if e, ok := errors.AsType[*extraction.Error](cause); ok {
		vendor = e.Vendor
	}
	return extraction.NewFailure(extraction.CodeVendorFailed,
		fmt.Sprintf("the last %d polls failed and the deadline is over: %s", failures, extraction.Explain(cause)), vendor)
}
