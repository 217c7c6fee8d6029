package intake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/guard"
	"github.com/extractq/extractq/store"
)

// Why a submission is refused, where that has a name of its own. Each wraps
// extraction.ErrInvalid: it is the caller's to mend.
var (
	// ErrUnknownAccount is returned for an account that no worker has ever had.
	ErrUnknownAccount = fmt.Errorf("%w: no worker has ever had this account", extraction.ErrInvalid)
	// ErrURLRefused is returned for a URL that leads to the inside, or nowhere.
	ErrURLRefused = errors.New("the URL is refused")
	// ErrMediaType is returned for a document of a kind that the vendor does not take.
	ErrMediaType = errors.New("the media type is refused")
	// ErrMismatch is returned for a document that is not what its media type says.
	ErrMismatch = errors.New("the document is not what its media type says")
)

// ErrOtherProvider is returned where the workers have an account with another provider
// than the rules: it is no fault of the caller's, and over when both know the same.
var ErrOtherProvider = errors.New("the workers have another configuration")

// refusal is an invalid submission for a reason with a name.
type refusal struct {
	reason error
	text   string
}

func refuse(reason error, text string) error { return &refusal{reason, text} }

func (r *refusal) Error() string   { return extraction.ErrInvalid.Error() + ": " + r.text }
func (r *refusal) Unwrap() []error { return []error{extraction.ErrInvalid, r.reason} }

// URLCheck judges a URL that others will fetch or call.
type URLCheck func(ctx context.Context, url string) error

// Rules are what an account takes, whichever way a document comes.
type Rules struct {
	Provider string
	// Check says what to change where the vendor could never take a submission; nil leaves
	// that to the worker.
	Check func(extraction.Submission) error
	// FetchesURL reports whether the vendor downloads a document by its URL.
	FetchesURL bool
	// MaxDocument is the largest document in bytes, MaxBacklog how many unfinished
	// extractions the account takes; 0 means any.
	MaxDocument int64
	MaxBacklog  int
	// CheckDocumentURL and CheckCallback refuse URLs that lead to the inside; nil refuses
	// all URLs.
	CheckDocumentURL, CheckCallback URLCheck
	// AnyName takes all names of documents that a file system has.
	AnyName bool
	// Serves says that this process works for the account itself, whatever other workers
	// registered before.
	Serves bool
}

// RulesOf returns the rules of an account. provider is what the submission names; empty
// for whatever the account has.
type RulesOf func(ctx context.Context, account, provider string) (Rules, error)

// With returns a client that accepts by these rules.
func (c *Client) With(rules RulesOf) *Client {
	out := *c
	out.rules = rules
	return &out
}

// admit completes a submission by the account's rules, and refuses what they do not
// allow: before the document is read, as far as that is possible.
func (c *Client) admit(ctx context.Context, s Submission, how store.Creation) (Submission, error) {
	valid := Submission.Validate
	if how.VendorID != "" {
		valid = func(s Submission) error { return s.adoptable(how.VendorID) }
	}
	if c.rules == nil {
		return s, valid(s)
	}
	if err := store.CheckPair(ctx, c.records, c.cfg.Blobs); err != nil {
		return s, err
	}
	r, err := c.rules(ctx, s.Account, s.Provider)
	if err == nil {
		err = c.agrees(ctx, r, s)
	}
	if err != nil {
		return s, err
	}
	s.Provider, s.MaxBacklog, s.limit = r.Provider, r.MaxBacklog, r.MaxDocument
	if err := valid(s); err != nil {
		return s, err
	}
	if err := r.judge(ctx, s); err != nil || s.Document == nil {
		return s, err
	}
	if err := c.hasRoom(ctx, s, how.Key); err != nil {
		return s, err
	}
	return r.settle(s)
}

// agrees returns nil if the submission names the provider of the account, and the workers
// have it with that one too.
func (c *Client) agrees(ctx context.Context, r Rules, s Submission) error {
	if s.Provider != "" && s.Provider != r.Provider {
		return invalid("account %s has provider %s, not %s", s.Account, r.Provider, s.Provider)
	}
	if r.Serves {
		return nil
	}
	now := time.Now()
	t, err := c.register.terms(ctx, s.Account, now.Add(-termsFor))
	if err == nil && t.Provider != r.Provider {
		t, err = c.register.terms(ctx, s.Account, now) // They may have another one since.
	}
	switch {
	case errors.Is(err, ErrUnknownAccount):
		return nil // The rules know it, and its workers will come.
	case err == nil && t.Provider != r.Provider:
		err = fmt.Errorf("%w: account %s has provider %s there, and %s here", ErrOtherProvider, s.Account, t.Provider, r.Provider)
	}
	return err
}

// Judge refuses what the rules do not allow of a submission, but for its document, which
// is not read.
func (r Rules) Judge(ctx context.Context, s Submission) error {
	if err := s.Validate(); err != nil {
		return err
	}
	return r.judge(ctx, s)
}

func (r Rules) judge(ctx context.Context, s Submission) error {
	if !r.AnyName {
		if err := CheckName(s.Name); err != nil {
			return err
		}
	}
	if s.CallbackURL != "" {
		if err := checkURL(ctx, r.CheckCallback, "callback_url", s.CallbackURL); err != nil {
			return err
		}
	}
	if s.URL != "" {
		if !r.FetchesURL {
			return invalid("%s does not fetch documents by URL; send the document itself", r.Provider)
		}
		if err := checkURL(ctx, r.CheckDocumentURL, "document_url", s.URL); err != nil {
			return err
		}
	}
	if s.Document != nil {
		s.ContentType = "" // The document has not been looked at.
	}
	return r.vendor(s)
}

// vendor refuses what the vendor could never take.
func (r Rules) vendor(s Submission) error {
	if r.Check == nil {
		return nil
	}
	return r.Check(extraction.Submission{
		Name: s.Name, URL: s.URL, ContentType: s.ContentType, Type: s.Type, Types: s.Types, ConfigName: s.ConfigName,
		Environment: s.Environment, Customer: s.Customer, Options: s.Options,
	})
}

// settle finds out what kind of document it is from its first bytes, and refuses one that
// the vendor does not take.
func (r Rules) settle(s Submission) (Submission, error) {
	head := bufio.NewReaderSize(s.Document, sniffed)
	first, err := head.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return s, fmt.Errorf("read document: %w", err)
	}
	s.Document = head
	if s.ContentType, err = settleType(s.ContentType, s.Name, first); err != nil {
		return s, err
	}
	if err := r.vendor(s); err != nil { // All but the media type was right before.
		return s, &refusal{ErrMediaType, plain(err)}
	}
	return s, nil
}

// hasRoom returns store.ErrBacklog where the account takes no more, before a document is
// received in vain; what happens meanwhile the creation of the record finds. A repetition,
// by its id or its key, needs no room: a caller that got no answer to the first learns of
// it whatever the backlog is.
func (c *Client) hasRoom(ctx context.Context, s Submission, key string) error {
	if s.MaxBacklog <= 0 {
		return nil
	}
	load, err := c.records.Load(ctx, s.Account)
	if err != nil || load.Queued+load.InFlight < int64(s.MaxBacklog) {
		return err
	}
	if s.ID != "" {
		if err := c.free(ctx, s); err != nil {
			return err // It is known already, or cannot be known.
		}
	}
	if key != "" {
		if first, err := c.records.Repeated(ctx, s.Account, key); err != nil || first != nil {
			return err
		}
	}
	return store.ErrBacklog
}

// URLChecks are the checks of the URLs of documents and of callbacks, which may lead
// nowhere inside but to these hosts.
func URLChecks(fetchHosts, callbackHosts []string) (document, callback URLCheck, err error) {
	if document, err = urlCheck("fetch.allow_hosts", fetchHosts); err != nil {
		return nil, nil, err
	}
	callback, err = urlCheck("callbacks.allow_hosts", callbackHosts)
	return document, callback, err
}

// lookupTimeout bounds the look for a name. One that is not found in time is let through:
// the address is judged again when it is dialled.
const lookupTimeout = 2 * time.Second

// urlCheck judges by a list of hosts. Where a name leads to is not said: it would let a
// caller look around inside.
func urlCheck(setting string, hosts []string) (URLCheck, error) {
	g, err := guard.New(setting, hosts)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, address string) error {
		bounded, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		err := g.Check(bounded, address)
		switch _, blocked := errors.AsType[*guard.Blocked](err); {
		case blocked:
			return fmt.Errorf("it is not a public http or https URL; %s can allow it", setting)
		case bounded.Err() != nil:
			return ctx.Err()
		case err == nil && hasUser(address):
			return errors.New("it must not have credentials; what is secret about it belongs into its path or query")
		}
		return err
	}, nil
}

func checkURL(ctx context.Context, check URLCheck, field, address string) error {
	if check == nil {
		return refuse(ErrURLRefused, field+" is not possible here")
	}
	err := check(ctx, address)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return refuse(ErrURLRefused, field+": "+err.Error())
}
