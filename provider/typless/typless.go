// Package typless is the adapter for the asynchronous API of Typless
// (https://typless.gitbook.io/typlessapi/).
//
// A document goes there in one call, as base64 inside a JSON object. The body
// is encoded while it is sent, so that a submission costs a few KiB of memory
// whatever the size of its document.
//
// The package neither retries nor waits; it says what happened in an
// *extraction.Error. The one rule to keep: a submission whose body was read is
// never sent again by this package, for it would be paid twice.
package typless

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
)

// Name is the provider's name in the configuration.
const Name = "typless"

// DefaultBaseURL is the vendor's API.
const DefaultBaseURL = "https://developers.typless.com/api"

// warnBytes is a size above which the vendor may refuse. Only third parties
// name this limit, so that a larger document is tried all the same.
const warnBytes = 30_000_000

// Config is what a Client needs.
type Config struct {
	// APIKey is the account's key. The vendor's dashboard shows it with "Token "
	// before it; both forms are good.
	APIKey string
	// BaseURL is the API's address; empty means DefaultBaseURL. One that ends
	// in /v1 is taken at its word: no other version is tried.
	BaseURL string
	// HTTP does the requests. Nil means a transport of our own without an
	// overall timeout: the contexts bound the calls.
	HTTP *http.Client
	// UserAgent names us to the vendor; empty means "extractq".
	UserAgent string
	// MaxResult bounds in bytes an answer that may hold a result; 0 means 256 MiB.
	MaxResult int64
	// Requested is called after every request: what it was for, the status of the answer
	// (0: there was none), and how long it took. Nil turns it off.
	Requested func(op string, status int, took time.Duration)
}

// Client is one account at Typless.
type Client struct {
	api *vendorhttp.Client

	submit, poll, awaiting *route
}

var (
	_ extraction.Provider = (*Client)(nil)
	_ extraction.Hooker   = (*Client)(nil)
)

// New returns a client, or says what is wrong with the configuration.
func New(cfg Config) (*Client, error) {
	key := vendorhttp.BareKey(cfg.APIKey, "Token")
	if key == "" {
		return nil, errors.New("typless: the API key is missing")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	api, err := vendorhttp.New(vendorhttp.Config{
		BaseURL: cfg.BaseURL, HTTP: cfg.HTTP, UserAgent: cfg.UserAgent, Requested: cfg.Requested, MaxResult: cfg.MaxResult,
		Authorization: "Token " + key,
		Secrets:       []string{cfg.APIKey, key},
	})
	if err != nil {
		return nil, errors.New("typless: " + err.Error())
	}
	return &Client{
		api:    api,
		submit: newRoute(api.Base(), "/extract-data-async", false),
		poll:   newRoute(api.Base(), "/get-extraction-data", false),
		// The only place this path is seen in full has the version in it.
		awaiting: newRoute(api.Base(), "/awaiting-poll", true),
	}, nil
}

// Traits implements extraction.Provider.
func (c *Client) Traits() extraction.Traits {
	return extraction.Traits{
		Provider:  Name,
		WarnBytes: warnBytes,
	}
}

// Probe implements extraction.Provider with the list of finished extractions.
//
// https://typless.gitbook.io/typlessapi/typless/data-extraction/asynchronous-extraction
func (c *Client) Probe(ctx context.Context) error {
	_, err := c.awaitingPoll(ctx, vendorhttp.OpProbe, "")
	return err
}
