package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// Why an extraction is left as it is. Cancel of one that has ended is
// store.ErrFinal, and an unknown id is store.ErrNotFound.
var (
	// ErrNotFinal: only what has ended is repeated.
	ErrNotFinal = errors.New("it has not ended yet")
	// ErrSucceeded: it has its result, and there is nothing to repeat.
	ErrSucceeded = errors.New("the extraction succeeded and its result is readable; there is nothing to repeat")
	// ErrRetried: it has been repeated already.
	ErrRetried = errors.New("it has been repeated already")
	// ErrDocumentGone: the document is not kept any more.
	ErrDocumentGone = errors.New("its document is gone")
)

// Adopt follows an extraction that something else submitted to the vendor, under
// the vendor's id. It is never submitted by extractq, and a document is not
// needed. store.ErrFollowed says that the account follows that id already.
func (c *Client) Adopt(ctx context.Context, s Submission, vendorID string) (extraction.Extraction, error) {
	how := store.Creation{VendorID: vendorID}
	s, err := c.admit(ctx, s, how)
	if err != nil {
		return extraction.Extraction{}, err
	}
	return c.accept(ctx, s, how, Begun{})
}

// adoptable is Validate for a submission that follows an id of the vendor's.
func (s Submission) adoptable(vendorID string) error {
	if err := s.validate(); err != nil {
		return err
	}
	if vendorID == "" || len(vendorID) > maxLabel || strings.ContainsFunc(vendorID, unprintable) {
		return invalid("the vendor's id is not 1 to %d printable characters without spaces", maxLabel)
	}
	return nil
}

// unprintable reports whether a character has no place in an id.
func unprintable(r rune) bool { return r <= ' ' || r >= 0x7f }

// Begun is how far a dead process had got with a submission, as it had journalled
// elsewhere than in Redis.
type Begun struct {
	// VendorID is the vendor's id. Without SubmittedAt it is that of a submission
	// in two steps whose first was answered: the vendor is asked whether it has
	// the document, and only if it surely has not is the document sent again.
	VendorID string `json:"vendor_id,omitempty"`
	// UploadURL is where that document goes. It is a secret. Without one, the
	// submission is begun anew after UploadExpires, and not before.
	UploadURL     string    `json:"-"`
	UploadExpires time.Time `json:"upload_expires,omitzero"`
	// SubmittedAt is when the vendor had the document of VendorID, which is then
	// only followed.
	SubmittedAt time.Time `json:"submitted_at,omitzero"`
	// SentAt is when the last byte of a submission in one call may have been let
	// go: the vendor's lists are searched for it before the account's
	// on_uncertain decides.
	SentAt time.Time `json:"sent_at,omitzero"`
	// RetryOf is the extraction that this one repeats. Where the vendor may have that
	// one after all, Sought is the token under which it was sent, and VendorID, SentAt
	// and UploadExpires are that one's: the vendor is asked for it first.
	RetryOf string `json:"retry_of,omitempty"`
	Sought  string `json:"sought,omitempty"`
}

// Repeats is where the repetition of an extraction begins.
func Repeats(old store.Record) Begun {
	b := Begun{RetryOf: old.ID}
	if mayHaveArrived(old) {
		// The repetition's own record says this, because the old record may be deleted
		// meanwhile; and where that was such a repetition too and never got to asking,
		// it looks for the same.
		b.Sought, b.VendorID, b.SentAt, b.UploadExpires = old.ID, old.VendorID, old.SentAt, old.UploadExpires
		if old.Sought != "" {
			b.Sought = old.Sought
		}
	}
	return b
}

// change is what the record of a submission says that begins there.
func (b Begun) change() *store.Change {
	c := &store.Change{}
	switch {
	case b.Sought != "":
		c.Phase(store.PhaseRecheck).Sought(b.Sought).SentAt(b.SentAt).Upload("", b.UploadExpires)
		if b.VendorID != "" {
			c.Vendor(b.VendorID)
		}
	case b.VendorID != "" && !b.SubmittedAt.IsZero():
		c.SubmittedAt(b.SubmittedAt)
	case b.VendorID != "":
		c.Phase(store.PhaseOpened).Vendor(b.VendorID).Upload(b.UploadURL, b.UploadExpires)
	case !b.SentAt.IsZero():
		c.Phase(store.PhaseSent).SentAt(b.SentAt)
	}
	return c
}

// creation is how the record of a submission begins that was begun before.
func (b Begun) creation() store.Creation {
	how := store.Creation{Change: b.change()}
	if b.Sought == "" && !b.SubmittedAt.IsZero() {
		how.VendorID = b.VendorID
	}
	return how
}

// Resume accepts a document that a dead process had begun to submit under the
// same id. Where b is empty, it is Submit. What the vendor may have was admitted before,
// and is followed whatever the rules say now.
func (c *Client) Resume(ctx context.Context, s Submission, b Begun) (extraction.Extraction, error) {
	err := s.Validate()
	if b.VendorID == "" && b.Sought == "" && b.SentAt.IsZero() {
		s, err = c.admit(ctx, s, store.Creation{})
	}
	if err != nil {
		return extraction.Extraction{}, err
	}
	s.retryOf = b.RetryOf
	return c.accept(ctx, s, b.creation(), b)
}

// Cancel ends an extraction as CANCELED. It stops neither the vendor nor its
// charge. It returns store.ErrFinal if the extraction has ended already.
func (c *Client) Cancel(ctx context.Context, account, id string) (extraction.Extraction, error) {
	r, err := c.records.Get(ctx, account, id)
	if err != nil {
		return extraction.Extraction{}, err
	}
	if err := c.cancel(ctx, r); err != nil {
		return extraction.Extraction{}, err
	}
	r, err = c.records.Get(ctx, account, id)
	if err != nil {
		return extraction.Extraction{}, err
	}
	if r.Deliveries.State == store.DeliveryPending { // Reconcile makes the task otherwise.
		_ = c.queue.Deliver(ctx, r, store.Scheduled{Seq: r.Deliveries.Number, Due: r.Due, Now: r.Due})
	}
	return r.Extraction(), nil
}

// ErrNoCallback is returned where the producer asked for no callback.
var ErrNoCallback = errors.New("it has no callback")

// Redeliver tells the producer of the end again, whatever came of the deliveries so
// far. It returns ErrNotFinal or ErrNoCallback where there is nothing to tell.
func (c *Client) Redeliver(ctx context.Context, account, id string) (extraction.Extraction, error) {
	r, next, err := c.redeliver(ctx, account, id)
	if err != nil {
		return extraction.Extraction{}, err
	}
	_ = c.queue.Deliver(ctx, r, next) // Reconcile makes the task otherwise.
	r, err = c.records.Get(ctx, account, id)
	return r.Extraction(), err
}

// redeliverTries is how often Redeliver looks again because a delivery has come to
// something meanwhile.
const redeliverTries = 5

func (c *Client) redeliver(ctx context.Context, account, id string) (r store.Record, next store.Scheduled, err error) {
	for range redeliverTries {
		if r, err = c.records.Get(ctx, account, id); err == nil {
			err = Redeliverable(r.Extraction())
		}
		if err != nil {
			return r, next, err
		}
		next, err = c.records.Redeliver(ctx, r.Input, store.NewToken(), r.Deliveries.Number, true)
		if !errors.Is(err, store.ErrStale) {
			return r, next, err
		}
	}
	return r, next, err
}

// Redeliverable returns nil if Redeliver would tell the producer.
func Redeliverable(e extraction.Extraction) error {
	switch {
	case !e.Status.Final():
		return fmt.Errorf("redeliver %s: %w", e.ID, ErrNotFinal)
	case e.Callback == nil:
		return fmt.Errorf("redeliver %s: %w", e.ID, ErrNoCallback)
	}
	return nil
}

func (c *Client) cancel(ctx context.Context, r store.Record) error {
	kept, err := c.kept(ctx, r.Account)
	if err != nil {
		return err
	}
	if err := c.records.Cancel(ctx, r.Input, store.NewToken(), kept); err != nil {
		return err
	}
	if c.cfg.Canceled != nil {
		c.cfg.Canceled(r)
	}
	// Its task would find nothing to do; one that a worker has just made for a
	// later step is left to that.
	_ = c.queue.Remove(r.Account, r.ID, r.Seq)
	return nil
}

// Remains is what a deletion cannot reach.
type Remains struct {
	ID      string `json:"id"`
	Account string `json:"account"`
	// Provider and VendorID say where the vendor keeps the document and what it
	// read in it; VendorID is null where the vendor never had it, or where that is
	// unknown.
	Provider string          `json:"provider"`
	VendorID extraction.Null `json:"vendor_id"`
	// Token is in the name under which the vendor may have it, where it was sent
	// and its id is not known.
	Token string `json:"token,omitempty"`
}

// remains is what is left at the vendor of an extraction that has ended.
func remains(r store.Record) Remains {
	left := Remains{ID: r.ID, Account: r.Account, Provider: r.Provider, VendorID: extraction.Null(r.VendorID)}
	if r.VendorID == "" && !r.SentAt.IsZero() {
		left.Token = r.ID
		if r.Sought != "" {
			left.Token = r.Sought
		}
	}
	return left
}

// Delete erases an extraction with its document, result and tasks; a running one
// is canceled first. Its events are erased by ForgetEvents, for many extractions
// at once.
func (c *Client) Delete(ctx context.Context, account, id string) (Remains, error) {
	r, err := c.records.Get(ctx, account, id)
	if err != nil {
		return Remains{}, err
	}
	if !r.Status.Final() {
		if err := c.cancel(ctx, r); err != nil && !errors.Is(err, store.ErrFinal) {
			return Remains{}, err
		}
		if r, err = c.records.Get(ctx, account, id); err != nil {
			return Remains{}, err
		}
	}
	if err := c.removeTasks(r); err != nil {
		return Remains{}, err
	}
	for n := range r.Deliveries.Number {
		if err := c.queue.RemoveDelivery(id, n+1); err != nil {
			return Remains{}, err
		}
	}
	// The blobs go first: a record without blobs is found again.
	if err := c.cfg.Blobs.Delete(ctx, id); err != nil {
		return Remains{}, err
	}
	kept, err := c.kept(ctx, account)
	if err != nil {
		return Remains{}, err
	}
	if err := c.records.Erase(ctx, r.Input, true, kept); err != nil && !errors.Is(err, store.ErrNotFound) {
		return Remains{}, err
	}
	// A task that was ending while the others were removed stays as completed, and a step
	// that was fetching the result may have stored it since.
	if err := c.removeTasks(r); err != nil {
		return Remains{}, err
	}
	if err := c.cfg.Blobs.Delete(ctx, id); err != nil {
		return Remains{}, err
	}
	return remains(r), nil
}

// removeTasks removes the tasks that an extraction that has ended may still have:
// the one that ended it has the seq before.
func (c *Client) removeTasks(r store.Record) error {
	for _, seq := range []int64{r.Seq - 1, r.Seq} {
		if err := c.queue.Remove(r.Account, r.ID, seq); err != nil {
			return err
		}
	}
	return nil
}

// ForgetEvents erases the events of deleted extractions of an account.
func (c *Client) ForgetEvents(ctx context.Context, account string) error {
	return c.records.ForgetEvents(ctx, account)
}
