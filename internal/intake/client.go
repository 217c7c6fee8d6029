// Package intake takes documents in, whichever way they come, and does what their
// producers ask for afterwards: cancel, repeat, redeliver and delete. The command line, the
// HTTP API and package tasks are the doors to it.
package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// Submission is a document and what is wanted of it.
type Submission struct {
	// ID is the extraction's id; empty for a fresh one. Repeating a submission
	// with the same id is store.ErrExists, never a second extraction, and another
	// document under it store.ErrTaken.
	ID string
	// Account is required. Its Provider is that of the account's rules where it is empty.
	Account  string
	Provider string
	// Type is the vendor's document type, or Types those of a portfolio.
	Type  string
	Types []string

	ConfigName  string
	Environment string
	// Customer and Batch are labels of 1 to 128 printable characters.
	Customer string
	Batch    string
	Priority extraction.Priority
	Metadata map[string]string
	Options  map[string]any

	// CallbackURL is where the end is reported to the producer, signed with the secret of
	// its API key, CallbackKey; empty for nowhere.
	CallbackURL string
	CallbackKey string

	// MaxBacklog is how many unfinished extractions the account takes; 0 is any
	// number, one more is store.ErrBacklog.
	MaxBacklog int

	// limit is the largest document in bytes by the account's rules; 0 means the client's.
	limit int64

	// Name is what the producer calls the document.
	Name string
	// ContentType is its media type; found out from the bytes where it is empty.
	ContentType string
	// Document is read to its end; or URL says where to fetch it.
	Document io.Reader
	URL      string

	// retryOf is the extraction that this one repeats.
	retryOf string
}

// Parts are what a Client is made of.
type Parts struct {
	// Redis is shared with the workers; the caller closes it.
	Redis redis.UniversalClient
	// Blobs is the document store that the workers use.
	Blobs *store.Blobs
	// MaxDocument is the largest document accepted, in bytes; 0 means any.
	MaxDocument int64
	// WaitReplicas is how many replicas of Redis must have a record before it counts as
	// accepted.
	WaitReplicas int
	// Kept is how long what Cancel ends and what Delete leaves is kept.
	Kept store.Kept
	// Canceled, if set, is called for each extraction that this client cancels.
	Canceled func(store.Record)
}

// Client accepts documents. It is safe for concurrent use.
type Client struct {
	cfg      Parts
	records  *store.Records
	queue    *queue.Queue
	register *register
	// rules are those of the accounts; nil for a client that only looks whether a
	// submission is well formed.
	rules RulesOf
	// registered says that Kept, too, is what workers registered.
	registered bool
}

// New returns a client that enqueues into cfg.Redis.
func New(cfg Parts) (*Client, error) {
	records, err := store.NewRecords(cfg.Redis)
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, records: records, queue: queue.New(cfg.Redis), register: newRegister(records)}, nil
}

// ErrEmpty is returned for a document of no bytes.
var ErrEmpty = fmt.Errorf("%w: the document is empty", extraction.ErrInvalid)

// Submit accepts one document. When it returns an extraction, the document and
// the record with its due time are written, and some worker will carry it to a
// final status even if the task could not be enqueued. An error that wraps
// extraction.ErrInvalid is the caller's to mend.
func (c *Client) Submit(ctx context.Context, s Submission) (extraction.Extraction, error) {
	s, err := c.admit(ctx, s, store.Creation{})
	if err != nil {
		return extraction.Extraction{}, err
	}
	return c.accept(ctx, s, store.Creation{}, Begun{})
}

// accept stores the document of a valid submission, then its record, and enqueues
// its first task. b is what is known of a submission that was begun before.
func (c *Client) accept(ctx context.Context, s Submission, how store.Creation, b Begun) (extraction.Extraction, error) {
	named := s.ID != ""
	if !named {
		s.ID = store.NewID()
	} else if err := c.free(ctx, s); err != nil {
		return extraction.Extraction{}, err
	}
	in := s.input()
	document, err := c.keep(ctx, s, named)
	if err != nil {
		return extraction.Extraction{}, err
	}
	in.Document = document
	if how.Key != "" {
		how.Fingerprint = fingerprint(in, how.VendorID)
	}
	how.Token, how.MaxBacklog = store.NewToken(), s.MaxBacklog
	r, err := c.create(ctx, in, how, b, named)
	first, repeated := errors.AsType[*store.RepeatedError](err)
	if repeated {
		first.Asked = how.Fingerprint
		if err := c.cfg.Blobs.PutKey(ctx, in.Account, how.Key, first.ID); err != nil {
			return extraction.Extraction{}, err
		}
	}
	if errors.Is(err, store.ErrExists) { // Its caller takes that for accepted.
		if err := c.secure(ctx, in.Account, in.ID); err != nil {
			return extraction.Extraction{}, err
		}
	}
	crowded := errors.Is(err, store.ErrBacklog)
	if crowded && named {
		// The document may be another producer's too, who has room a moment later: if no
		// record names it, it goes within hours.
		_ = c.cfg.Blobs.DeleteAccepted(ctx, in.ID)
	} else if repeated || crowded || errors.Is(err, store.ErrFollowed) || errors.Is(err, store.ErrErased) {
		_ = c.cfg.Blobs.Delete(ctx, in.ID)
	}
	if err != nil {
		return extraction.Extraction{}, err
	}
	return c.begin(ctx, r)
}

// begin enqueues the first task of a new record, which is accepted when it returns.
func (c *Client) begin(ctx context.Context, r store.Record) (extraction.Extraction, error) {
	c.enqueue(ctx, r)
	if err := c.secure(ctx, r.Account, r.ID); err != nil {
		return extraction.Extraction{}, err
	}
	return r.Extraction(), nil
}

// secure returns once as many replicas as is asked for have a record: the first time, and
// each time a caller that got no answer repeats the request.
func (c *Client) secure(ctx context.Context, account, id string) error {
	n := c.cfg.WaitReplicas
	if c.registered {
		t, err := c.register.terms(ctx, account, time.Now().Add(-termsFor))
		if err != nil {
			return err
		}
		n = t.WaitReplicas
	}
	return c.records.Replicated(ctx, account, id, n)
}

// create writes what is accepted into the document store, which does not go back in time,
// and then the record. shared says that another process may do the same.
func (c *Client) create(ctx context.Context, in store.Input, how store.Creation, b Begun, shared bool) (store.Record, error) {
	a := store.Accepted{
		Input: in, AcceptedAt: extraction.Time{Time: time.Now()}, VendorID: how.VendorID, Key: how.Key, Fingerprint: how.Fingerprint,
	}
	if b != (Begun{}) {
		begun, err := json.Marshal(b)
		if err != nil {
			return store.Record{}, err
		}
		a.Begun = begun
	}
	if how.Key != "" { // First: what was accepted without it would not be found by it.
		if err := c.cfg.Blobs.PutKey(ctx, in.Account, how.Key, in.ID); err != nil {
			return store.Record{}, err
		}
	}
	if err := c.cfg.Blobs.PutAccepted(ctx, a, shared); err != nil {
		return store.Record{}, err
	}
	return c.records.Create(ctx, in, how)
}

// free returns nil if no extraction has or had the submission's id. A repeated
// submission must not touch the document of the first.
func (c *Client) free(ctx context.Context, s Submission) error {
	_, err := c.records.Get(ctx, s.Account, s.ID)
	if err == nil {
		if err := c.secure(ctx, s.Account, s.ID); err != nil {
			return err
		}
		return fmt.Errorf("submit %s: %w", s.ID, store.ErrExists)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	erased, err := c.records.Erased(ctx, s.Account, s.ID)
	if err == nil && erased {
		err = fmt.Errorf("submit %s: %w", s.ID, store.ErrErased)
	}
	return err
}

// enqueue makes the first task of a new record. The extraction is accepted: a
// task that cannot be enqueued now is made when it has its turn, or by reconcile.
func (c *Client) enqueue(ctx context.Context, r store.Record) {
	if r.Waiting {
		_ = c.queue.Park(ctx, r)
		return
	}
	_ = c.queue.Schedule(ctx, r, r.Step, store.Scheduled{Seq: r.Seq, Due: r.Due, Now: r.Due})
}

// input is what is asked, without the document.
func (s Submission) input() store.Input {
	return store.Input{
		ID: s.ID, Account: s.Account, Provider: s.Provider, Type: s.Type, Types: s.Types,
		ConfigName: s.ConfigName, Environment: s.Environment, Customer: s.Customer, Batch: s.Batch,
		Priority: s.Priority, Metadata: s.Metadata, Options: s.Options,
		CallbackURL: s.CallbackURL, CallbackKey: s.CallbackKey, RetryOf: s.retryOf,
	}
}

// keep stores the document's bytes, or describes its URL. Under an id that was given,
// another producer's bytes are never replaced.
func (c *Client) keep(ctx context.Context, s Submission, named bool) (extraction.Document, error) {
	if s.Document == nil { // A URL, or an adopted one whose document only the vendor has.
		return describe(s, store.Stored{}), nil
	}
	put := c.cfg.Blobs.PutDocument
	if named {
		put = c.cfg.Blobs.PutDocumentOnce
	}
	kept, err := put(ctx, s.ID, s.Document, c.limit(s))
	if err != nil {
		return extraction.Document{}, err
	}
	if kept.Bytes == 0 {
		_ = c.cfg.Blobs.Delete(ctx, s.ID) // No record names it; what stays is nothing but an empty file.
		return extraction.Document{}, ErrEmpty
	}
	return describe(s, kept), nil
}

// describe is the document of a submission, of which kept was stored, if anything.
func describe(s Submission, kept store.Stored) extraction.Document {
	d := extraction.Document{Name: s.Name, ContentType: s.ContentType, URL: extraction.Null(s.URL)}
	if s.Document == nil {
		if d.ContentType == "" {
			d.ContentType = typeByName(s.Name)
		}
		return d
	}
	d.Bytes, d.SHA256 = &kept.Bytes, extraction.Null(kept.SHA256)
	if d.ContentType == "" || d.ContentType == unknownType {
		d.ContentType = sniff(s.Name, kept.Head)
	}
	return d
}
