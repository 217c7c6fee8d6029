package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

//go:embed *.lua
var lua embed.FS

// What a script may answer instead of "won".
var (
	// ErrNotFound: there is no such extraction.
	ErrNotFound = errors.New("no such extraction")
	// ErrFinal: the extraction has its final status already.
	ErrFinal = errors.New("extraction is final")
	// ErrStale: the extraction has moved on since.
	ErrStale = errors.New("step is stale")
	// ErrBusy: another worker holds the lease.
	ErrBusy = errors.New("extraction is leased")
	// ErrKnown: the extraction has this vendor id already.
	ErrKnown = errors.New("the vendor's id is known")
	// ErrSupplanted: the extraction has another vendor id.
	ErrSupplanted = errors.New("the extraction has another vendor id")
	// ErrWaits: the extraction has no turn yet.
	ErrWaits = errors.New("it is not its turn")
	// ErrExists: another extraction has this id.
	ErrExists = errors.New("extraction exists")
	// ErrErased: there was an extraction of this id, and it has been erased.
	ErrErased = errors.New("extraction was erased")
	// ErrFollowed: another extraction has this vendor id.
	ErrFollowed = errors.New("the vendor's id belongs to another extraction")
	// ErrBacklog: the account has as much unfinished work as it takes.
	ErrBacklog = errors.New("the account's backlog is full")
	// ErrNewer: a newer version of extractq wrote the record.
	ErrNewer = errors.New("written by a newer version")
)

// grace is how long after a step's due time reconcile leaves it to its task.
const grace = 3 * time.Second

// Records are the extractions in Redis. It is safe for concurrent use.
type Records struct {
	rdb     redis.UniversalClient
	scripts map[string]*redis.Script
	// riding are scripts that carry out another one, by their texts.
	riding sync.Map
	// known are the accounts that this process has registered, and when.
	known sync.Map
	// clocks are the latest readings of the accounts' clocks, *atomic.Pointer[reading], and
	// uptime is this machine's own.
	clocks sync.Map
	uptime func() time.Duration
	// calls numbers the calls under leases.
	calls atomic.Int64
	// seen is the document store that CheckRedis has seen Redis belong to.
	seen atomic.Pointer[string]
}

// scriptNames are the scripts that run for an account.
var scriptNames = []string{
	"create", "begin", "renew", "mark", "next", "finish", "refetch", "reissue", "touch", "resolve", "cancel", "claim", "erase",
	"deliver", "delivered", "redeliver", "hint", "early", "release", "forget", "audit",
}

// scriptText is the whole text of one of them, with that of a rider.
func scriptText(name, rider string) (string, error) {
	lib, err := lua.ReadFile("lib.lua")
	if err != nil {
		return "", err
	}
	body, err := lua.ReadFile(name + ".lua")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("local NAME, GRACE, ride = '%s', %d\n%s%s%s", name, grace.Milliseconds(), lib, rider, body), nil
}

// clocked is a Redis client with a monotonic clock of its own, which all that use it share:
// where days pass at once, both clocks must.
type clocked interface{ Uptime() time.Duration }

// NewRecords returns the records in rdb.
func NewRecords(rdb redis.UniversalClient) (*Records, error) {
	r := &Records{rdb: rdb, uptime: uptime, scripts: map[string]*redis.Script{clockName: redis.NewScript(clockLua)}}
	if c, ok := rdb.(clocked); ok {
		r.uptime = c.Uptime
	}
	for _, name := range scriptNames {
		text, err := scriptText(name, "")
		if err != nil {
			return nil, err
		}
		r.scripts[name] = redis.NewScript(text)
	}
	return r, nil
}

// NewID returns a fresh extraction id, a ULID.
func NewID() string { return ulid.Make().String() }

// RetryID returns the id of the extraction that repeats another one. It is always the same:
// where Redis has forgotten a repetition, the next one is no second one.
func RetryID(id string) string {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return NewID()
	}
	sum := sha256.Sum256([]byte("retry " + id))
	_ = u.SetEntropy(sum[:10]) // It has that length.
	return u.String()
}

// NewToken returns a fresh token: the name of one attempt to change a record.
// A repeated script with the same token has no second effect.
func NewToken() string { return ulid.Make().String() }

// verdicts are the answers of the scripts that are not "won".
var verdicts = map[string]error{
	"gone": ErrNotFound, "final": ErrFinal, "stale": ErrStale,
	"busy": ErrBusy, "known": ErrKnown, "supplanted": ErrSupplanted, "exists": ErrExists, "erased": ErrErased, "followed": ErrFollowed, "backlog": ErrBacklog,
}

// run calls one script for one extraction and returns what follows "won".
func (s *Records) run(ctx context.Context, script string, in Input, args ...any) ([]any, error) {
	return s.runWith(ctx, nil, script, in, args...)
}

// runWith is run with a rider, which may be nil.
func (s *Records) runWith(ctx context.Context, rider *Rider, script string, in Input, args ...any) ([]any, error) {
	k := accountKeys(in.Account)
	keys := []string{
		k.record(in.ID), k.detail(in.ID), k.upload(in.ID), k.due(), k.list(), k.inFlight(),
		k.vendorIDs(), k.ready(), k.events(), k.batch(in.Batch), k.batchCounts(in.Batch), k.queued(), k.tombs(),
		k.idempotency(), k.batches(), k.gate(), k.line(), k.turns(), k.released(), k.state(), k.early(), k.emptied(),
	}
	whole, args := s.scripts[script], append([]any{in.ID}, args...)
	if rider != nil {
		var err error
		if whole, err = s.withRider(script, rider); err != nil {
			return nil, err
		}
		keys, args = append(keys, rider.Keys...), append(append(args, rider.Args...), len(rider.Args))
	}
	answer, err := s.Call(ctx, whole, in.Account, keys, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", script, in.ID, err)
	}
	verdict, _ := answer[0].(string)
	if verdict == "won" {
		return answer[1:], nil
	}
	if verdict == "waits" {
		return answer[1:], fmt.Errorf("%s %s: %w", script, in.ID, ErrWaits)
	}
	if verdict == "repeated" {
		first, _ := answer[1].(string)
		return nil, repeated(first)
	}
	if err, ok := verdicts[verdict]; ok {
		return nil, fmt.Errorf("%s %s: %w", script, in.ID, err)
	}
	return nil, fmt.Errorf("%s %s: unexpected answer %q", script, in.ID, verdict)
}

// Change is a set of fields to write with a step. Build it with its methods;
// the zero value changes nothing.
type Change struct {
	pairs []any
	rider *Rider
}

func (c *Change) put(field, value string) *Change {
	c.pairs = append(c.pairs, field, value)
	return c
}

func (c *Change) putInt(field string, n int64) *Change {
	if n == 0 {
		return c.put(field, "")
	}
	return c.put(field, strconv.FormatInt(n, 10))
}

func (c *Change) putTime(field string, t time.Time) *Change {
	return c.putInt(field, extraction.Time{Time: t}.Millis())
}

// Add makes the changes of another one after its own.
func (c *Change) Add(o *Change) *Change {
	if o == nil {
		return c
	}
	c.pairs = append(c.pairs, o.pairs...)
	if o.rider != nil {
		c.rider = o.rider
	}
	return c
}

// With carries out a rider where the step that the change is written with is ended by it.
func (c *Change) With(r Rider) *Change {
	c.rider = &r
	return c
}

// Phase journals how far the submission has got.
func (c *Change) Phase(p Phase) *Change { return c.put(fieldPhase, string(p)) }

// Attempts counts the submissions begun.
func (c *Change) Attempts(n int) *Change { return c.putInt(fieldAttempts, int64(n)) }

// Vendor sets the vendor's id.
func (c *Change) Vendor(id string) *Change { return c.put(fieldVendorID, id) }

// VendorStatus sets the vendor's last word, cut to what a record field holds.
func (c *Change) VendorStatus(s string) *Change { return c.put(fieldVendorStatus, Label(s)) }

// Upload keeps the signed upload URL and its end; an empty URL erases it.
func (c *Change) Upload(url string, expires time.Time) *Change {
	return c.put("upload", url).putTime(fieldUploadExpires, expires)
}

// UploadGone notes that the upload host refused the URL.
func (c *Change) UploadGone(gone bool) *Change {
	if gone {
		return c.put(fieldUploadGone, "1")
	}
	return c.put(fieldUploadGone, "")
}

// WaitingSince notes when the vendor was first seen waiting for the document.
func (c *Change) WaitingSince(t time.Time) *Change { return c.putTime(fieldWaitingSince, t) }

// MissingSince notes the first 404 of a row.
func (c *Change) MissingSince(t time.Time) *Change { return c.putTime(fieldMissingSince, t) }

// NotYetAt notes when the vendor said that it had not finished.
func (c *Change) NotYetAt(t time.Time) *Change { return c.putTime(fieldNotYetAt, t) }

// SubmitSeq notes the submission's sequence number.
func (c *Change) SubmitSeq(s SubmitSeq) *Change { return c.put(fieldSubmitSeq, s.String()) }

// PlannedAt notes which due time the learned schedule has set.
func (c *Change) PlannedAt(t time.Time) *Change { return c.putTime(fieldPlannedAt, t) }

// SentAt notes when the last byte of a submission was let go.
func (c *Change) SentAt(t time.Time) *Change { return c.putTime(fieldSentAt, t) }

// Uncertain sets how long the vendor's lists are searched.
func (c *Change) Uncertain(until time.Time) *Change { return c.putTime(fieldUncertainUntil, until) }

// Sought names the extraction whose submission is looked for; empty for none.
func (c *Change) Sought(id string) *Change { return c.put(fieldSought, id) }

// SubmittedAt sets when the vendor had the document.
func (c *Change) SubmittedAt(t time.Time) *Change { return c.putTime(fieldSubmittedAt, t) }

// Polls counts the vendor calls that asked for this extraction.
func (c *Change) Polls(n int) *Change { return c.putInt(fieldPolls, int64(n)) }

// SubmitErrors sets the row of failed submissions and its beginning.
func (c *Change) SubmitErrors(n int, since time.Time) *Change {
	return c.putInt(fieldSubmitErrors, int64(n)).putTime(fieldFailingSince, since)
}

// FailingSince sets the beginning of a row of failures.
func (c *Change) FailingSince(t time.Time) *Change { return c.putTime(fieldFailingSince, t) }

// PollErrors sets the row of failed polls.
func (c *Change) PollErrors(n int) *Change { return c.putInt(fieldPollErrors, int64(n)) }

// Result names the blob that holds the result.
func (c *Change) Result(seq int64) *Change { return c.putInt(fieldResultSeq, seq) }

// ResultSum is the digest of the result.
func (c *Change) ResultSum(sum string) *Change { return c.put(fieldResultSum, sum) }

// Trouble keeps the latest trouble that was not final.
func (c *Change) Trouble(t extraction.Trouble) *Change { return c.putJSON("x."+detailTrouble, t) }

// TroubleOver says that the latest trouble is over; where there was none, nothing.
func (c *Change) TroubleOver(t time.Time) *Change { return c.putTime("x."+detailOver, t) }

// Failure keeps why the final status is not SUCCESS.
func (c *Change) Failure(f *extraction.Failure) *Change {
	if f == nil {
		return c
	}
	return c.putJSON("x."+detailFailure, f)
}

func (c *Change) putJSON(field string, v any) *Change {
	b, err := json.Marshal(v)
	if err != nil { // A provider put something into details that JSON has no form for.
		b, _ = json.Marshal(extraction.NewFailure(extraction.CodeInternal, "details cannot be stored", nil))
	}
	return c.put(field, string(b))
}

func (c *Change) riding() *Rider {
	if c == nil {
		return nil
	}
	return c.rider
}

func (c *Change) args() []any {
	if c == nil {
		return nil
	}
	return c.pairs
}

// Label cuts a vendor's word to what fits a record field and a payload: at most
// 40 printable ASCII characters.
func Label(s string) string {
	out := make([]byte, 0, 40)
	for i := 0; i < len(s) && len(out) < 40; i++ {
		if s[i] > ' ' && s[i] < 0x7f {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// isNil reports whether Redis has nothing where it was asked.
func isNil(err error) bool { return errors.Is(err, redis.Nil) }
