// Package sensible is the adapter for the asynchronous API of Sensible
// (https://docs.sensible.so).
//
// A document is submitted in one of two ways. Its bytes take two steps: Open returns the
// extraction's id and a signed upload URL, Put sends the bytes there. Its URL takes one
// step, Submit: Sensible downloads the document. Both ways accept a single document type, a
// type with one of its configurations, and a portfolio of several types.
//
// The package neither retries nor waits; an *extraction.Error says what happened. One rule
// must hold: the key is sent to the API's own origin and nowhere else, least of all to the
// store that takes the document.
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

// DefaultBaseURL is the API for accounts without their own region.
const DefaultBaseURL = "https://api.sensible.so/v0"

// Config configures a Client.
type Config struct {
	// APIKey is the account's key, with or without a "Bearer " prefix.
	APIKey string
	// BaseURL is the API's address; empty means DefaultBaseURL. Accounts in other regions
	// use other hosts.
	BaseURL string
	// HTTP makes the requests. Nil means a transport of our own without an overall timeout:
	// contexts bound the calls.
	HTTP *http.Client
	// UserAgent is the header of that name; empty means "extractq".
	UserAgent string
	// Secrets are secrets other than the key that the vendor may repeat, such as the one in
	// the webhook's URL.
	Secrets []string
	// MaxResult bounds an answer that may hold a result, in bytes; 0 means 256 MiB.
	MaxResult int64
	// Requested is called after every request, with its purpose, the status of the answer
	// (0 if there was none) and the duration. Nil turns it off.
	Requested func(op string, status int, took time.Duration)
	// Now is the clock that upload URLs expire by; nil means time.Now.
	Now func() time.Time
}

// Client is the API with the key of one account.
type Client struct {
	api *vendorhttp.Client
	now func() time.Time
}

var (
	_ extraction.Provider = (*Client)(nil)
	_ extraction.Uploader = (*Client)(nil)
	_ extraction.Hooker   = (*Client)(nil)
)

// New returns a client, or an error that says what is wrong with the configuration.
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
		// One PUT to the store takes at most 5 GiB, whatever the documented maximum.
		WarnBytes: 5 << 30,
	}
}

// Submit implements extraction.Provider: it passes the document's URL to Sensible, which
// downloads it.
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

// Probe implements extraction.Provider with the shortest possible list.
//
// https://docs.sensible.so/reference/list-extractions
func (c *Client) Probe(ctx context.Context) error {
	_, _, err := c.list(ctx, vendorhttp.OpProbe, url.Values{"limit": {"1"}})
	return err
}
