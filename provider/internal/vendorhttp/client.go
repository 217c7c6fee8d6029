// Package vendorhttp does what every adapter for a vendor's HTTP API needs and
// none should write twice: one request with its answer read to a bound, every
// failure turned into a classified *extraction.Error, and nothing secret in any
// of them.
//
// It knows no vendor, retries nothing and logs nothing. The one rule to keep:
// whatever leaves this package as an error went through a Redactor.
package vendorhttp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/transfer"
)

// The calls an Error names in its Op.
const (
	OpSubmit = "submit"
	OpUpload = "upload"
	OpPoll   = "poll"
	OpReady  = "ready"
	OpProbe  = "probe"
)

// Config is what an API client needs.
type Config struct {
	// BaseURL is the API's address without a slash at its end.
	BaseURL string
	// HTTP does the requests; nil means a transport of our own. Its redirect
	// policy is replaced.
	HTTP *http.Client
	// UserAgent names us to the vendor; empty means "extractq".
	UserAgent string
	// Authorization is the value of that header. It goes to the API only.
	Authorization string
	// Secrets are redacted wherever they appear, in every spelling.
	Secrets []string
	// MaxResult bounds in bytes an answer to a poll; 0 means DefaultMaxResult.
	MaxResult int64
	// Requested is told of every request that was made: its Op, the status of the
	// answer (0: there was none), and how long it took. Nil turns it off.
	Requested func(op string, status int, took time.Duration)
}

// Client sends requests to one vendor's API.
type Client struct {
	base         string
	follow, stay *http.Client
	auth         string
	userAgent    string
	redact       *Redactor
	maxResult    int64
	requested    func(op string, status int, took time.Duration)
	clock        vendorClock
}

// New returns a client, or says what is wrong with the configuration without
// repeating a secret.
func New(cfg Config) (*Client, error) {
	base, err := checkBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(cfg.Authorization, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, errors.New("the API key has characters that an HTTP header cannot carry")
	}
	hc := cfg.HTTP
	if hc == nil {
		hc = &http.Client{Transport: crash.Transport("vendor", NewTransport())}
	}
	follow, stay := *hc, *hc
	follow.CheckRedirect = followWithoutKey
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	agent := cfg.UserAgent
	if agent == "" {
		agent = "extractq"
	}
	requested := cfg.Requested
	if requested == nil {
		requested = func(string, int, time.Duration) {}
	}
	return &Client{
		base: base, follow: &follow, stay: &stay, auth: cfg.Authorization, userAgent: agent,
		redact: NewRedactor(cfg.Secrets...), requested: requested,
		maxResult: cmp.Or(cfg.MaxResult, DefaultMaxResult),
	}, nil
}

// checkBase returns the base URL without its last slash.
func checkBase(base string) (string, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return "", errors.New("the base URL is not a URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return "", errors.New("the base URL must be http://HOST… or https://HOST…")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return "", errors.New("the base URL must have no user, query or fragment")
	}
	return strings.TrimRight(base, "/"), nil
}

// Base is the API's address without a slash at its end.
func (c *Client) Base() string { return c.base }

// Redactor removes this client's secrets.
func (c *Client) Redactor() *Redactor { return c.redact }

// Call is one request.
type Call struct {
	// Op is what the call is for; it stands in every error.
	Op string
	// Method is GET, POST or PUT. Only GET follows redirects, and what has a Reopen.
	Method string
	// URL is used verbatim.
	URL string
	// Foreign marks a URL outside the API: it gets no key, and its answers say
	// nothing about the account.
	Foreign bool
	// Header is added to the request.
	Header http.Header
	// Body is nil for a request without one.
	Body *Body
	// Reopen gives the body once more, for a PUT that is sent elsewhere by a 307 or 308;
	// nil where that is not followed.
	Reopen func() (*Body, error)
	// Submits marks a call that the vendor may have acted on although its
	// answer was lost, so that its errors say so.
	Submits bool
	// Classify overrides the meaning of an answer other than a success.
	Classify func(Reply) Class
	// Redact overrides the client's own Redactor.
	Redact *Redactor

	hops int // Redirects followed with the body.
}

// Answer is a 2xx answer, read to its end.
type Answer struct {
	Status int
	Header http.Header
	// Body may be a file's content, which is there until the context's transfer is
	// canceled. What reads it runs within Guard, which a file that cannot be read ends.
	Body  []byte
	Guard func(func() error) error
	// Taken reports that the request's body was read to its end.
	Taken bool

	op     string
	sent   bool
	redact *Redactor
}

// Do sends the request and returns the vendor's answer if it is a success.
// Every error is an *extraction.Error.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	if call.Redact == nil {
		call.Redact = c.redact
	}
	if call.Body != nil {
		// Nothing is read from the body once the verdict on it is given.
		defer call.Body.seal()
	}
	req, err := c.request(ctx, call)
	if err != nil {
		if call.Body != nil {
			call.Body.discard()
		}
		return Answer{}, call.failed(ctx, err)
	}
	hc := c.stay
	if call.Method == http.MethodGet {
		hc = c.follow
	}
	sent, status := time.Now(), 0
	defer func() { c.requested(call.Op, status, time.Since(sent)) }()
	resp, err := hc.Do(req)
	if err != nil {
		return Answer{}, call.failed(ctx, err)
	}
	status = resp.StatusCode
	defer resp.Body.Close()
	transfer.Answered(ctx)
	elsewhere := !sameOrigin(resp.Request.URL, req.URL)
	if !call.Foreign && !elsewhere {
		c.clock.learn(resp.Header.Get("Date"), sent, time.Now())
	}
	if to := call.movedTo(resp); to != nil {
		return c.again(ctx, call, to)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Answer{}, call.refused(resp, !call.Foreign && elsewhere)
	}
	limit := int64(maxAnswer)
	if call.Op == OpPoll {
		limit = c.maxResult
	}
	body, err := transfer.ReadAnswer(ctx, resp.Body, resp.ContentLength, limit)
	if err != nil {
		return Answer{}, call.cutShort(ctx, resp.StatusCode, err)
	}
	return Answer{
		Status: resp.StatusCode, Header: resp.Header, Body: body.Bytes, Guard: body.Do,
		Taken: call.Body == nil || call.Body.seal(),
		op:    call.Op, sent: call.sent(), redact: call.Redact,
	}, nil
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, call.Method, call.URL, http.NoBody)
	if err != nil {
		return nil, errors.New("the request URL is not valid")
	}
	maps.Copy(req.Header, call.Header)
	req.Header.Set("User-Agent", c.userAgent)
	if !call.Foreign {
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Authorization", c.auth)
	}
	if call.Body != nil {
		if err := call.Body.attach(req); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// maxAnswer bounds what is read of a successful answer that holds no result: a vendor
// gone mad must not fill our memory.
const maxAnswer = 64 << 20

// DefaultMaxResult bounds an answer that may hold a result where nothing else is
// configured.
const DefaultMaxResult = 256 << 20

// Nonsense is the error for a successful answer that cannot be used: the vendor
// acted, and what it said does not help.
func (a Answer) Nonsense(why error) error {
	if ours, ok := errors.AsType[*transfer.SpoolError](why); ok {
		return &extraction.Error{Op: a.op, Kind: extraction.KindTransient, Status: a.Status, Sent: a.sent, Err: ours}
	}
	e := &extraction.Error{
		Op: a.op, Kind: extraction.KindTransient, Status: a.Status, Sent: a.sent,
		Err: fmt.Errorf("answer %s: %w", statusText(a.Status), a.redact.Err(why)),
	}
	// A JSON answer to a good request may hold what was extracted; anything
	// else is the page of some proxy and worth showing.
	_ = a.Guard(func() error {
		if begin := a.Body[:min(len(a.Body), maxErrorBody)]; !looksLikeJSON(begin) {
			e.Vendor = a.redact.Vendor(bytes.Clone(begin), len(begin) < len(a.Body))
		}
		return nil
	})
	return e
}
