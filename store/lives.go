package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// How extractions begin and end from outside: created, adopted, canceled,
// repeated, erased. What workers do in between is in steps.go.

// Creation says how an extraction begins.
type Creation struct {
	// Token names this attempt: repeating it has no effect.
	Token string
	// VendorID is the vendor's id of what something else submitted; empty for what
	// is still to be submitted.
	VendorID string
	// Change is what is known of a submission that other software began.
	Change *Change
	// Key is an idempotency key: one extraction has it, for as long as it exists.
	// Fingerprint stands for all that was asked; a repetition asks the same.
	Key, Fingerprint string
	// MaxBacklog is how many unfinished extractions the account takes; 0 is any
	// number.
	MaxBacklog int
}

// Create writes the record of a new extraction. It is due at once, unless it has to
// wait for its turn. It returns ErrExists if the id is taken, ErrErased if it was and
// has been erased, ErrFollowed if another extraction of the account has the vendor's id
// (see Follower), ErrBacklog, and a *RepeatedError if another one has the key.
func (s *Records) Create(ctx context.Context, in Input, c Creation) (Record, error) {
	if err := s.register(ctx, in.Account); err != nil {
		return Record{}, err
	}
	in.Version = recordVersion
	body, err := json.Marshal(in)
	if err != nil {
		return Record{}, fmt.Errorf("encode record: %w", err)
	}
	step := extraction.StepSubmit
	if c.VendorID != "" {
		step = extraction.StepPoll
	}
	callback := ""
	if in.CallbackURL != "" {
		callback = "1"
	}
	args := append([]any{
		c.Token, string(body), in.Batch, string(step), c.VendorID, c.Key, c.Fingerprint, c.MaxBacklog,
		fieldVersion, recordVersion, fieldCustomer, customerDigest(in.Customer), fieldCallback, callback,
		fieldPriority, string(in.Priority),
	}, c.Change.args()...)
	got, err := s.run(ctx, "create", in, args...)
	if err != nil {
		return Record{}, err
	}
	now := at(got, 0)
	r := Record{
		Input: in, Status: extraction.StatusQueued, Seq: 1, Step: step,
		Because: extraction.Because(got[1].(string)), CreatedAt: now, Due: now, Waiting: got[2].(int64) == 1,
	}
	if step == extraction.StepPoll {
		r.Status, r.VendorID, r.SubmittedAt = extraction.StatusInProgress, c.VendorID, now
	}
	return r, nil
}

// RepeatedError says that an extraction was created with the same idempotency key
// before.
type RepeatedError struct {
	// ID is that extraction, Fingerprint stands for what was asked then, and Asked for
	// what the caller asks now, where it does.
	ID, Fingerprint, Asked string
}

func (e *RepeatedError) Error() string { return "the idempotency key belongs to extraction " + e.ID }

// repeated reads the entry of an idempotency key.
func repeated(entry string) *RepeatedError {
	id, print, _ := strings.Cut(entry, " ")
	return &RepeatedError{ID: id, Fingerprint: print}
}

// Repeated returns the extraction that an idempotency key belongs to; nil if there
// is none.
func (s *Records) Repeated(ctx context.Context, account, key string) (*RepeatedError, error) {
	entry, err := s.rdb.HGet(ctx, accountKeys(account).idempotency(), key).Result()
	if isNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read idempotency key: %w", err)
	}
	return repeated(entry), nil
}

// Follower returns the id of the extraction that has a vendor id; empty if none
// has.
func (s *Records) Follower(ctx context.Context, account, vendorID string) (string, error) {
	id, err := s.rdb.HGet(ctx, accountKeys(account).vendorIDs(), vendorID).Result()
	if err != nil && !isNil(err) {
		return "", fmt.Errorf("read vendor ids: %w", err)
	}
	return id, nil
}

// Cancel ends an extraction as CANCELED, whatever worker holds it. kept is what the
// retention says for any status. It returns ErrFinal if it has ended with another status.
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
// retention has passed. What is left for the time kept says is a tombstone, and the
// counts of its batch if it was the last one of that.
func (s *Records) Erase(ctx context.Context, in Input, force bool, kept Kept) error {
	got, err := s.run(ctx, "erase", in, flag(force), kept.Record.Milliseconds(), in.Batch)
	if err != nil {
		return err
	}
	if key, _ := got[0].(string); key != "" {
		s.unbind(ctx, in.Account, key)
	}
	return nil
}

// Erased reports whether an account had an extraction of this id that was erased
// not long ago.
func (s *Records) Erased(ctx context.Context, account, id string) (bool, error) {
	return s.tombstone(ctx, account, id)
}

// ErasedWith is Erased in one round trip with other commands.
func (s *Records) ErasedWith(ctx context.Context, account, id string, more func(redis.Pipeliner)) (bool, error) {
	var tomb *redis.FloatCmd
	all, _ := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		tomb = p.ZScore(ctx, accountKeys(account).tombs(), id)
		more(p)
		return nil
	})
	for _, cmd := range all { // There is no tombstone, as nearly always.
		if err := cmd.Err(); err != nil && (cmd != tomb || !isNil(err)) {
			return false, fmt.Errorf("read tombstones: %w", err)
		}
	}
	return tomb.Err() == nil, nil
}

// ErasedOf is Erased for a caller that may know of one customer's only; empty is any.
func (s *Records) ErasedOf(ctx context.Context, account, id, customer string) (bool, error) {
	if customer == "" {
		return s.tombstone(ctx, account, id)
	}
	return s.tombstone(ctx, account, id+"/"+customerDigest(customer)) // As in erase.lua.
}

func (s *Records) tombstone(ctx context.Context, account, name string) (bool, error) {
	err := s.rdb.ZScore(ctx, accountKeys(account).tombs(), name).Err()
	if isNil(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read tombstones: %w", err)
	}
	return true, nil
}

// ForgetTombs removes the tombstones of an account whose time is over. Events are forgotten
// by them: call it after ForgetEvents.
func (s *Records) ForgetTombs(ctx context.Context, account string) error {
	now, err := s.Now(ctx, account)
	if err == nil {
		err = s.rdb.ZRemRangeByScore(ctx, accountKeys(account).tombs(), "-inf", strconv.FormatInt(now.UnixMilli(), 10)).Err()
	}
	if err != nil {
		return fmt.Errorf("forget tombstones: %w", err)
	}
	return nil
}

// eventPage is how many events are read at once.
const eventPage = 1000

// ForgetEvents removes the events of what has been erased from an account's stream.
// It goes by the tombstones, so that it also completes what a process that died
// had begun.
func (s *Records) ForgetEvents(ctx context.Context, account string) error {
	k := accountKeys(account)
	after := "0-0"
	for {
		events, err := s.Events(ctx, account, after, eventPage)
		if err != nil || len(events) == 0 {
			return err
		}
		ids := make([]string, len(events))
		for i, e := range events {
			ids[i] = e.ID
		}
		erased, err := s.rdb.ZMScore(ctx, k.tombs(), ids...).Result()
		if err != nil {
			return fmt.Errorf("read tombstones: %w", err)
		}
		var forget []string
		for i, e := range events {
			if after = e.Cursor; erased[i] > 0 {
				forget = append(forget, e.Cursor)
			}
		}
		if len(forget) > 0 {
			if err := s.rdb.XDel(ctx, k.events(), forget...).Err(); err != nil {
				return fmt.Errorf("forget events: %w", err)
			}
		}
		if len(events) < eventPage {
			return nil
		}
	}
}
