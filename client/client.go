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
// A call that meets a broken connection, or a server that asks for patience, is
// repeated: Config.Attempts times in all, as late as Retry-After says. That is
// safe. Each submission has an Idempotency-Key, one of its own making where none is
// given, and keeps it; every other call can be made twice.
//
// # Errors
//
// What the server refuses, and a server that does not answer, is an *[Error]: use
// [errors.As] and look at its Code. An error of a document's own reader is returned
// as it is, and when a context ends its cause is in the error.
//
// # Documents and results
//
// Documents are streamed on their way in, results on their way out with
// [Client.OpenResult]; none is held in memory as a whole.
//
// A Client uses the standard library only. It holds no state and no goroutine
// between calls, and is safe for concurrent use.
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

// What the API says, in the words of this package.
type (
	// Extraction is one document submitted once to one account.
	Extraction = extraction.Extraction
	// Fields are what is wanted of a document.
	Fields = protocol.Fields
	// Filter chooses extractions; what is empty chooses all.
	Filter = extraction.Filter
	// Page is a part of a list.
	Page = protocol.Page
	// Bulk names what is to be done to many extractions.
	Bulk = protocol.Bulk
	// BulkResult is what came of it.
	BulkResult = protocol.BulkResult
	// Batch is how far a batch is.
	Batch = protocol.Batch
	// Fault is one of the things that are wrong with a request.
	Fault = protocol.Fault
)

// Config is what a Client needs.
type Config struct {
	// URL is where the API is, without /v1: http://127.0.0.1:8080 for one.
	URL string
	// Key is sent as Authorization: Bearer KEY; empty for a server without keys.
	// It goes to no other host: redirects are not followed.
	Key string
	// HTTP makes the requests; nil means a transport of its own. It must have no
	// Timeout: uploads and held answers take their time, a context ends them, and a
	// server that falls silent is noticed. Its redirect policy is replaced.
	HTTP *http.Client
	// UserAgent names the caller in the server's logs; empty means "extractq-client".
	UserAgent string
	// Attempts is how often a call is made in all; 0 means 8, which waits about half
	// a minute for a server that is away, 1 means once.
	Attempts int
	// MaxWait is the longest time between two attempts; 0 means one minute. A server
	// that asks for more gets no further attempt.
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
	// silence is how long the server may take no byte and send none, streamSilence
	// the same for a stream of events, in which something comes every 15 s.
	silence, streamSilence time.Duration
}

const (
	// defaultSilence is longer than the minute for which an answer may be held.
	defaultSilence       = 2 * time.Minute
	defaultStreamSilence = 50 * time.Second
)

// New returns a client, or says what is wrong with the configuration. It makes no
// connection.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil:
		return nil, errors.New("the server's URL is not a URL") // The error may repeat a password.
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

// newTransport is the default transport with room for many calls to one host.
func newTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // The program has replaced it.
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 64
	return t
}
