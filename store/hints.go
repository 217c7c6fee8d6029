package store

import (
	"context"
	"time"

	"github.com/extractq/extractq/extraction"
)

// Source is where a hint comes from.
type Source string

// The sources of hints.
const (
	// SourceHook is the vendor's webhook.
	SourceHook Source = "hook"
	// SourceList is a list of what the vendor has finished.
	SourceList Source = "list"
)

// Hinted is what a hint has come to.
type Hinted struct {
	Scheduled
	// Step is the step whose task, ID:Seq, is to run now; empty where no task is:
	// a poll is running, or too many hints have come before.
	Step extraction.Step
}

// Hint notes that an extraction is said to be finished, and makes the question to
// the vendor due: at once where it is the first hint, later and later where they
// are repeated. One that comes while a poll is running makes the next
// poll due. vendorID must be the extraction's; where it has none yet because the
// answer to its submission is open, that is believed.
//
// It returns ErrNotFound, ErrFinal or ErrStale where there is nothing to hurry.
func (s *Records) Hint(ctx context.Context, account, id, vendorID string, from Source) (Hinted, error) {
	in := Input{ID: id, Account: account}
	got, err := s.run(ctx, "hint", in, NewToken(), vendorID, string(from))
	if err != nil {
		return Hinted{}, err
	}
	step, _ := got[3].(string)
	return Hinted{Scheduled: scheduled(got), Step: extraction.Step(step)}, nil
}

const (
	// earlyFor is how long an unknown vendor id is remembered: longer than
	// the answer to a submission takes from the vendor to the record.
	earlyFor = 2 * time.Minute
	// earlyKept bounds how many are: the vendor also calls for what others submit.
	earlyKept = 10_000
)

// Hooked returns the id of the extraction that a webhook's vendor id belongs to. It
// is empty where none has it yet; one that gets it within the next two minutes takes
// the webhook for a hint then.
func (s *Records) Hooked(ctx context.Context, account, vendorID string) (string, error) {
	got, err := s.run(ctx, "early", Input{Account: account}, NewToken(), vendorID, earlyFor.Milliseconds(), earlyKept)
	if err != nil {
		return "", err
	}
	id, _ := got[0].(string)
	return id, nil
}
