package intake

import (
	"context"
	"sync"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
	"github.com/extractq/extractq/store"
)

// termsFor is how long what workers registered is believed without a look.
const termsFor = 5 * time.Second

// terms are what the workers of an account registered.
type terms struct {
	store.Registration

	checkDocumentURL, checkCallback URLCheck
	at                              time.Time
}

// register reads what workers registered, and keeps it for a while.
type register struct {
	records *store.Records

	mu    sync.Mutex
	known map[string]terms
}

func newRegister(records *store.Records) *register {
	return &register{records: records, known: map[string]terms{}}
}

// terms returns what was registered at a moment since then. It returns ErrUnknownAccount
// where no worker ever had the account.
func (g *register) terms(ctx context.Context, account string, since time.Time) (terms, error) {
	g.mu.Lock()
	t, ok := g.known[account]
	g.mu.Unlock()
	if ok && t.at.After(since) {
		return t, nil
	}
	if !extraction.ValidAccount(account) {
		return terms{}, invalidAccount(account)
	}
	t = terms{at: time.Now()}
	var err error
	if t.Registration, ok, err = g.records.Registration(ctx, account); err == nil && !ok {
		err = ErrUnknownAccount
	}
	if err == nil {
		t.checkDocumentURL, t.checkCallback, err = URLChecks(t.FetchHosts, t.CallbackHosts)
	}
	if err != nil {
		return terms{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known[account] = t
	return t, nil
}

// WithRegistered returns a client that knows only what workers registered, and accepts by
// that.
func (c *Client) WithRegistered() *Client {
	out := *c
	out.rules, out.registered = out.registration, true
	return &out
}

// registration are the rules that the workers of an account registered.
func (c *Client) registration(ctx context.Context, account, _ string) (Rules, error) {
	t, err := c.register.terms(ctx, account, time.Now().Add(-termsFor))
	if err == nil { // The first worker may have come since, with another store.
		err = c.cfg.Blobs.Join(ctx, c.records)
	}
	if err != nil {
		return Rules{}, err
	}
	return Rules{
		Provider: t.Provider, FetchesURL: t.FetchesURL, MaxDocument: t.MaxDocument, MaxBacklog: t.MaxBacklog,
		Check: vendors()[t.Provider], CheckDocumentURL: t.checkDocumentURL, CheckCallback: t.checkCallback,
	}, nil
}

// limit is the largest document of a submission.
func (c *Client) limit(s Submission) int64 {
	if c.rules != nil {
		return s.limit
	}
	return c.cfg.MaxDocument
}

// kept is how long what ends at an account is kept.
func (c *Client) kept(ctx context.Context, account string) (store.Kept, error) {
	if !c.registered {
		return c.cfg.Kept, nil
	}
	t, err := c.register.terms(ctx, account, time.Now().Add(-termsFor))
	return t.Kept, err
}

// vendors are the checks of the providers there are, which make no call and need no key.
// What a newer worker knows beside them is left to that.
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
