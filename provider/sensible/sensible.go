// Package sensible is the adapter for the asynchronous API of Sensible
// (https://docs.sensible.so).
//
// A document goes there in one of two ways. Its bytes go in two steps, Open and
// Put: the first gives the extraction its id and a signed upload URL, the
// second sends the bytes there. Its URL goes in one step, Submit: Sensible then
// downloads the document itself. Both know a single document type, a type with
// one of its configurations, and a portfolio of several types.
//
// The package neither retries nor waits; it says what happened in an
// *extraction.Error. The one rule to keep: the key goes to the API's own origin
// and nowhere else, least of all to the store that takes the document.
package sensible

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
)

// Name is the provider's name in the configuration.
const Name = "sensible"

// DefaultBaseURL is the API for accounts without a region of their own.
const DefaultBaseURL = "https://api.sensible.so/v0"

// Config is what a Client needs.
type Config struct {
	// APIKey is the account's key, with or without "Bearer " before it.
	APIKey string
	// BaseURL is the API's address; empty means DefaultBaseURL. Accounts in
	// another region have another host.
	BaseURL string
	// HTTP does the requests. Nil means a transport of our own without an
	// overall timeout: the contexts bound the calls.
	HTTP *http.Client
	// UserAgent names us to the vendor; empty means "extractq".
	UserAgent string
	// Secrets are others than the key that the vendor may repeat in what it says,
	// such as the one in the webhook's URL.
	Secrets []string
	// MaxResult bounds in bytes an answer that may hold a result; 0 means 256 MiB.
	MaxResult int64
	// Requested is told of every request: what it was for, the status of the answer
	// (0: there was none), and how long it took. Nil turns it off.
	Requested func(op string, status int, took time.Duration)
	// Now is the clock that upload URLs expire by; nil means time.Now.
	Now func() time.Time
}

// Client is one account at Sensible.
type Client struct {
	api *vendorhttp.Client
	now func() time.Time
}

var (
	_ extraction.Provider = (*Client)(nil)
	_ extraction.Uploader = (*Client)(nil)
	_ extraction.Hooker   = (*Client)(nil)
)

// New returns a client, or says what is wrong with the configuration.
func New(cfg Config) (*Client, error) {
	key := vendorhttp.BareKey(cfg.APIKey, "Bearer")
	if key == "" {
		return nil, errors.New("sensible: the API key is missing")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	api, err := vendorhttp.New(vendorhttp.Config{
		BaseURL: cfg.BaseURL, HTTP: cfg.HTTP, UserAgent: cfg.UserAgent, Requested: cfg.Requested, MaxResult: cfg.MaxResult,
		Authorization: "Bearer " + key,
		Secrets:       append([]string{cfg.APIKey, key}, cfg.Secrets...),
	})
	if err != nil {
		return nil, errors.New("sensible: " + err.Error())
	}
	return &Client{api: api, now: cfg.Now}, nil
}

// Traits implements extraction.Provider.
func (c *Client) Traits() extraction.Traits {
	return extraction.Traits{
		Provider:      Name,
		FetchesURL:    true,
		ReadyHasNames: true,
		// One PUT to the store ends at 5 GiB, whatever the documented maximum.
		WarnBytes: 5 << 30,
	}
}

// Submit implements extraction.Provider: it passes the document's URL on and
// Sensible downloads it.
//
// https://docs.sensible.so/reference/extract-from-url
func (c *Client) Submit(ctx context.Context, s extraction.Submission) (extraction.Receipt, error) {
	if s.URL == "" {
		return extraction.Receipt{}, invalid(vendorhttp.OpSubmit, "the document has no URL; bytes go through Open and Put")
	}
	answer, err := c.send(ctx, "extract_from_url", s, true)
	if err != nil {
		return extraction.Receipt{}, err
	}
	doc, err := answer.id()
	if err != nil {
		return extraction.Receipt{}, answer.Nonsense(err)
	}
	return extraction.Receipt{VendorID: doc.String("id"), VendorStatus: doc.String("status")}, nil
}

// Probe implements extraction.Provider with the shortest list there is.
//
// https://docs.sensible.so/reference/list-extractions
func (c *Client) Probe(ctx context.Context) error {
	_, _, err := c.list(ctx, vendorhttp.OpProbe, url.Values{"limit": {"1"}})
	return err
}
