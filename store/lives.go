package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// How extractions begin and end from outside: created, adopted, canceled,
// repeated, erased. What workers do in between is in steps.go.

// Create writes the record of a new extraction, with its due entry. Repeating
// it with the same token has no effect. c is what is known of a submission that
// somebody else began. It returns ErrExists if the id is taken, and ErrErased if
// it was and has been erased.
func (s *Records) Create(ctx context.Context, in Input, token string, c *Change) (Record, error) {
	return s.create(ctx, in, token, extraction.StepSubmit, "", c)
}

// Adopt writes the record of an extraction that the vendor has already, under
// vendorID. Besides what Create returns, ErrFollowed says that another extraction
// of the account has that id; see Follower.
func (s *Records) Adopt(ctx context.Context, in Input, token, vendorID string, c *Change) (Record, error) {
	return s.create(ctx, in, token, extraction.StepPoll, vendorID, c)
}

func (s *Records) create(
	ctx context.Context, in Input, token string, step extraction.Step, vendorID string, c *Change,
) (Record, error) {
	if err := s.register(ctx, in.Account); err != nil {
		return Record{}, err
	}
	in.Version = recordVersion
	body, err := json.Marshal(in)
	if err != nil {
		return Record{}, fmt.Errorf("encode record: %w", err)
	}
	batch := "0"
	if in.Batch != "" {
		batch = "1"
	}
	args := append([]any{
		token, string(body), batch, grace.Milliseconds(), string(step), vendorID, fieldVersion, recordVersion,
	}, c.args()...)
	got, err := s.run(ctx, "create", in, args...)
	if err != nil {
		return Record{}, err
	}
	now := at(got, 0)
	r := Record{
		Input: in, Status: extraction.StatusQueued, Seq: 1, Step: step,
		Because: extraction.BecauseScheduled, CreatedAt: now, Due: now,
	}
	if step == extraction.StepPoll {
		r.Status, r.VendorID, r.SubmittedAt = extraction.StatusInProgress, vendorID, now
	}
	return r, nil
}

// Follower returns the id of the extraction that has a vendor id; empty if none
// has.
func (s *Records) Follower(ctx context.Context, account, vendorID string) (string, error) {
	id, err := s.rdb.HGet(ctx, accountKeys(account).vendorIDs(), vendorID).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("read vendor ids: %w", err)
	}
	return id, nil
}

// Cancel ends an extraction as CANCELED, whoever holds it. kept is what the
// retention says for any status. It returns ErrFinal if it has ended otherwise.
func (s *Records) Cancel(ctx context.Context, in Input, token string, kept Kept) error {
	kept = kept.For(extraction.StatusCanceled)
	f := extraction.NewFailure(extraction.CodeCanceled, "canceled; the vendor may have begun and charge for it", nil)
	args := append([]any{token, kept.Record.Milliseconds(), kept.Document.Milliseconds()},
		new(Change).Failure(f).args()...)
	_, err := s.run(ctx, "cancel", in, args...)
	return err
}

// ClaimRetry names the extraction that is to repeat a final one, and returns the
// name that was given first: the same call after a crash goes on with that.
func (s *Records) ClaimRetry(ctx context.Context, in Input, newID string) (string, error) {
	got, err := s.run(ctx, "claim", in, newID)
	if err != nil {
		return "", err
	}
	id, _ := got[0].(string)
	return id, nil
}

// Erase removes a final extraction: at once with force, else only when its
// retention has passed. What is left is a tombstone for the time kept says.
func (s *Records) Erase(ctx context.Context, in Input, force bool, kept Kept) error {
	flag := "0"
	if force {
		flag = "1"
	}
	_, err := s.run(ctx, "erase", in, flag, kept.Record.Milliseconds())
	return err
}

// Erased reports whether an account had an extraction of this id that was erased
// not long ago.
func (s *Records) Erased(ctx context.Context, account, id string) (bool, error) {
	err := s.rdb.ZScore(ctx, accountKeys(account).tombs(), id).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read tombstones: %w", err)
	}
	return true, nil
}

// eventPage is how many events are read at once.
const eventPage = 1000

// ForgetEvents removes the events of extractions from their account's stream.
func (s *Records) ForgetEvents(ctx context.Context, account string, ids map[string]bool) error {
	after := "0-0"
	for {
		events, err := s.Events(ctx, account, after, eventPage)
		if err != nil {
			return err
		}
		var forget []string
		for _, e := range events {
			if after = e.Cursor; ids[e.ID] {
				forget = append(forget, e.Cursor)
			}
		}
		if len(forget) > 0 {
			if err := s.rdb.XDel(ctx, accountKeys(account).events(), forget...).Err(); err != nil {
				return fmt.Errorf("forget events: %w", err)
			}
		}
		if len(events) < eventPage {
			return nil
		}
	}
}
