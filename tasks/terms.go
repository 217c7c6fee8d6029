package tasks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/guard"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
	"github.com/extractq/extractq/store"
)

// ErrUnknownAccount is returned for an account that no worker has ever had.
var ErrUnknownAccount = fmt.Errorf("%w: no worker has ever had this account", extraction.ErrInvalid)

// termsFor is how long what workers registered is believed without a look.
const termsFor = 5 * time.Second

// terms are what an account's producers must keep to.
type terms struct {
	store.Registration

	documents, callbacks *guard.Guard
	at                   time.Time
}

// register reads what workers registered, and whether the document store is still theirs.
type register struct {
	records *store.Records
	blobs   *store.Blobs

	mu    sync.Mutex
	known map[string]terms
}

func newRegister(records *store.Records, blobs *store.Blobs) *register {
	return &register{records: records, blobs: blobs, known: map[string]terms{}}
}

func (g *register) terms(ctx context.Context, account string) (terms, error) {
	g.mu.Lock()
	t, ok := g.known[account]
	g.mu.Unlock()
	if ok && time.Since(t.at) < termsFor {
		return t, nil
	}
	if !store.ValidAccount(account) {
		return terms{}, invalid("account %q is not a name of 1 to 40 characters a-z, 0-9 and -", account)
	}
	t = terms{at: time.Now()}
	var err error
	if t.Registration, ok, err = g.records.Registration(ctx, account); err == nil && !ok {
		err = ErrUnknownAccount
	}
	if err == nil { // The first worker may have come since, with another store.
		err = store.CheckPair(ctx, g.records, g.blobs)
	}
	if err == nil {
		t.documents, err = guard.New("fetch.allow_hosts", t.FetchHosts)
	}
	if err == nil {
		t.callbacks, err = guard.New("callbacks.allow_hosts", t.CallbackHosts)
	}
	if err != nil {
		return terms{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known[account] = t
	return t, nil
}

// limit is the largest document of a submission.
func (c *Client) limit(s Submission) int64 {
	if c.cfg.terms != nil {
		return s.limit
	}
	return c.cfg.MaxDocument
}

// kept is how long what ends at an account is kept.
func (c *Client) kept(ctx context.Context, account string) (store.Kept, error) {
	if c.cfg.terms == nil {
		return c.cfg.Kept, nil
	}
	t, err := c.cfg.terms(ctx, account)
	return t.Kept, err
}

// admit completes a submission by what the workers registered, and refuses what the HTTP
// API would refuse. A client that has a configuration is asked by those who checked by it.
func (c *Client) admit(ctx context.Context, s Submission) (Submission, error) {
	if c.cfg.terms == nil {
		return s, nil
	}
	t, err := c.cfg.terms(ctx, s.Account)
	if err != nil {
		return s, err
	}
	if s.Provider != "" && s.Provider != t.Provider {
		return s, invalid("account %s is one of %s, not of %s", s.Account, t.Provider, s.Provider)
	}
	s.Provider, s.MaxBacklog, s.limit = t.Provider, t.MaxBacklog, t.MaxDocument
	if s.CallbackURL != "" {
		if err := check(ctx, t.callbacks, s.CallbackURL); err != nil {
			return s, invalid("callback_url: %v", err)
		}
	}
	if s.URL != "" {
		if !t.FetchesURL {
			return s, invalid("%s does not fetch documents by URL; send the document itself", t.Provider)
		}
		if err := check(ctx, t.documents, s.URL); err != nil {
			return s, invalid("document_url: %v", err)
		}
	}
	if s.Document != nil && (s.ContentType == "" || s.ContentType == "application/octet-stream") {
		head := bufio.NewReaderSize(s.Document, 512)
		first, err := head.Peek(512)
		if err != nil && !errors.Is(err, io.EOF) {
			return s, fmt.Errorf("read document: %w", err)
		}
		s.Document, s.ContentType = head, Sniff(s.Name, first)
	}
	return s, checkVendor(s)
}

// check judges a URL that others will fetch. What it resolved to is not said: nobody can
// look around with it.
func check(ctx context.Context, g *guard.Guard, rawURL string) error {
	err := g.Check(ctx, rawURL)
	if blocked, ok := errors.AsType[*guard.Blocked](err); ok {
		return fmt.Errorf("it is not a public http or https URL; %s can allow it", blocked.Setting)
	}
	return err
}

// vendors are the checks of the providers there are, which make no call and need no key.
var vendors = sync.OnceValue(func() map[string]func(extraction.Submission) error {
	out := map[string]func(extraction.Submission) error{}
	if p, err := sensible.New(sensible.Config{APIKey: "none"}); err == nil {
		out[sensible.Name], out["sandbox"] = p.Check, p.Check
	}
	if p, err := typless.New(typless.Config{APIKey: "none"}); err == nil {
		out[typless.Name] = p.Check
	}
	return out
})

// checkVendor refuses what the vendor could never take. A provider that a newer worker
// knows is left to that.
func checkVendor(s Submission) error {
	check, ok := vendors()[s.Provider]
	if !ok {
		return nil
	}
	return check(extraction.Submission{
		Name: s.Name, URL: s.URL, ContentType: s.ContentType, Type: s.Type, Types: s.Types, ConfigName: s.ConfigName,
		Environment: s.Environment, Customer: s.Customer, Options: s.Options,
	})
}
