// Package client is a Go client for extractq's HTTP API.
//
//	c, err := client.New(client.Config{URL: "https://extractq.example.com", Key: os.Getenv("EXTRACTQ_API_KEY")})
//	e, err := c.Submit(ctx, client.Submission{
//		Source: client.File("1040.pdf"),
//		Fields: client.Fields{Account: "acme", Type: "tax_forms"},
//	})
//	e, err = c.Wait(ctx, e.ID)
//
// # Repetition
//
// A call that fails because the connection broke, or because the server is overloaded, is
// repeated: up to Config.Attempts times in all, never earlier than Retry-After says. That
// is safe: every submission has an Idempotency-Key (a random one unless the caller sets it)
// and keeps it across attempts; all other calls are idempotent.
//
// # Errors
//
// A refusal by the server, or a server that does not answer, is an *[Error]: use
// [errors.As] and look at its Code. An error of a document's own reader is returned
// unchanged. When a context ends, the error wraps its cause.
//
// # Documents and results
//
// Documents are streamed to the server and results from it ([Client.OpenResult]); neither
// is held in memory as a whole.
//
// A Client uses the standard library only. It keeps no state and runs no goroutine between
// calls, and is safe for concurrent use.
package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/wait"
)

// The types of the API, under the names of this package.
type (
	// Extraction is one document submitted once to one account.
	Extraction = extraction.Extraction
	// Fields say how a document is to be extracted.
	Fields = protocol.Fields
	// Filter chooses extractions; an empty member chooses all.
	Filter = extraction.Filter
	// Page is one page of a list.
	Page = protocol.Page
	// Bulk names the extractions of a bulk operation.
	Bulk = protocol.Bulk
	// BulkResult counts what a bulk operation did.
	BulkResult = protocol.BulkResult
	// Batch is the progress of a batch.
	Batch = protocol.Batch
	// Fault is one of several faults in a request.
	Fault = protocol.Fault
)

// Config configures a Client. Only URL is required.
type Config struct {
	// URL is the address of the API without /v1, such as http://127.0.0.1:8080.
	URL string
	// Key is the API key, sent as Authorization: Bearer KEY; empty for a server without
	// keys. It is never sent to another host: redirects are not followed.
	Key string
	// HTTP makes the requests; nil means a client of its own. It must have no Timeout:
	// uploads and long polls take time, contexts end them, and a silent server is detected.
	// Its redirect policy is replaced.
	HTTP *http.Client
	// UserAgent names the caller in the server's logs; empty means "extractq-client".
	UserAgent string
	// Attempts is how many times a call is attempted in all; 0 means 8, which rides out
	// about half a minute without a server; 1 means no repetition.
	Attempts int
	// MaxWait is the longest wait between two attempts; 0 means one minute. If the server
	// asks for more, the call fails.
	MaxWait time.Duration
}

const (
	defaultAttempts = 8
	defaultMaxWait  = time.Minute
)

// Client makes calls to one server. Make one with New.
type Client struct {
	base  string
	cfg   Config
	http  *http.Client
	agent string

	// sleep and random are replaced by tests.
	sleep  func(context.Context, time.Duration) error
	random func() float64
	// silence is how long the server may neither take nor send a byte; streamSilence is the
	// same for an event stream, where a heartbeat comes every 15 s.
	silence, streamSilence time.Duration
}

const (
	// defaultSilence is longer than the minute for which the server may hold an answer.
	defaultSilence       = 2 * time.Minute
	defaultStreamSilence = 50 * time.Second
)

// New returns a client, or an error that says what is wrong with the configuration. It
// makes no connection.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil:
		return nil, errors.New("the server's URL is not a URL") // The parse error may repeat a password.
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errors.New("the server's URL must be http://HOST… or https://HOST…")
	case u.User != nil:
		return nil, errors.New("the server's URL must hold no password; the key is Config.Key")
	case u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("the server's URL must have no query and no fragment")
	case strings.ContainsFunc(cfg.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the key has characters that an HTTP header cannot carry")
	case cfg.Attempts < 0, cfg.MaxWait < 0:
		return nil, errors.New("the attempts and the longest wait must not be negative")
	}
	c := &Client{
		base: strings.TrimSuffix(strings.TrimRight(u.String(), "/"), "/v1"), cfg: cfg, agent: cfg.UserAgent,
		sleep: wait.For, random: rand.Float64, silence: defaultSilence, streamSilence: defaultStreamSilence,
	}
	if c.agent == "" {
		c.agent = "extractq-client"
	}
	if c.cfg.Attempts == 0 {
		c.cfg.Attempts = defaultAttempts
	}
	if c.cfg.MaxWait == 0 {
		c.cfg.MaxWait = defaultMaxWait
	}
	own := http.Client{Transport: newTransport()}
	if cfg.HTTP != nil {
		own = *cfg.HTTP
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &own
	return c, nil
}

// newTransport is the default transport with more connections to one host.
func newTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // The program has replaced the default transport.
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 64
	return t
}
