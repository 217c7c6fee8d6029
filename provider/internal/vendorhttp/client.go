// Package vendorhttp is the base of all adapters for HTTP APIs: it makes one request, reads
// a bounded answer, and turns every failure into a classified *extraction.Error without
// secrets.
//
// It knows no vendor, retries nothing and logs nothing. One rule must hold: every error
// that leaves this package has been through a Redactor.
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

// The values of an Error's Op.
const (
	OpSubmit = "submit"
	OpUpload = "upload"
	OpPoll   = "poll"
	OpReady  = "ready"
	OpProbe  = "probe"
)

// Config configures a Client.
type Config struct {
	// BaseURL is the API's address without a trailing slash.
	BaseURL string
	// HTTP makes the requests; nil means a transport of our own. Its redirect policy is
	// replaced.
	HTTP *http.Client
	// UserAgent is the header of that name; empty means "extractq".
	UserAgent string
	// Authorization is the header of that name. It is sent to the API only.
	Authorization string
	// Secrets are redacted wherever they appear, in every spelling.
	Secrets []string
	// MaxResult bounds the answer to a poll, in bytes; 0 means DefaultMaxResult.
	MaxResult int64
	// Requested is called after every request, with its Op, the status of the answer (0 if
	// there was none) and the duration. Nil turns it off.
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

// New returns a client, or an error that says what is wrong with the configuration and
// contains no secret.
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

// checkBase returns the base URL without its trailing slash.
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

// Base is the API's address without a trailing slash.
func (c *Client) Base() string { return c.base }

// Redactor removes this client's secrets.
func (c *Client) Redactor() *Redactor { return c.redact }

// Call is one request.
type Call struct {
	// Op says what the call is for; it is part of every error.
	Op string
	// Method is GET, POST or PUT. Redirects are followed for GET, and if Reopen is set.
	Method string
	// URL is used verbatim.
	URL string
	// Foreign marks a URL outside the API: it gets no key, and its answers say nothing
	// about the account.
	// nothing about the account.
	Foreign bool
	// Header is added to the request.
	Header http.Header
	// Body is nil for a request without one.
	Body *Body
	// Reopen opens the body again, for a PUT that a 307 or 308 redirects; nil if redirects
	// are not followed.
	Reopen func() (*Body, error)
	// Submits marks a call that the vendor may have acted on although its answer was lost;
	// its errors say so.
	Submits bool
	// Classify replaces Classify for answers other than a success.
	Classify func(Reply) Class
	// Redact replaces the client's own Redactor.
	Redact *Redactor

	hops int // Redirects followed with the body.
}

// Answer is a 2xx answer that was read to its end.
type Answer struct {
	Status int
	Header http.Header
	// Body may be the content of a mapped file, which is valid until the context's transfer
	// is canceled. Code that reads it runs within Guard, which ends it if the file cannot
	// be read.
	Body  []byte
	Guard func(func() error) error
	// Taken reports that the request's body was read to its end.
	Taken bool

	op     string
	sent   bool
	redact *Redactor
}

// Do sends the request and returns the vendor's answer if it is a success. Every error is
// an *extraction.Error.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	if call.Redact == nil {
		call.Redact = c.redact
	}
	if call.Body != nil {
		// After the verdict nothing more is read from the body.
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

// maxAnswer bounds a successful answer without a result, so that a faulty vendor cannot
// fill our memory.
const maxAnswer = 64 << 20

// DefaultMaxResult bounds an answer that may hold a result, if nothing else is configured.
const DefaultMaxResult = 256 << 20

// Nonsense is the error for a successful answer that is unintelligible: the vendor has
// acted, but the answer is of no use.
func (a Answer) Nonsense(why error) error {
	if ours, ok := errors.AsType[*transfer.SpoolError](why); ok {
		return &extraction.Error{Op: a.op, Kind: extraction.KindTransient, Status: a.Status, Sent: a.sent, Err: ours}
	}
	e := &extraction.Error{
		Op: a.op, Kind: extraction.KindTransient, Status: a.Status, Sent: a.sent,
		Err: fmt.Errorf("answer %s: %w", statusText(a.Status), a.redact.Err(why)),
	}
	// A JSON answer to a valid request may hold extracted data; anything else is the page
	// of a proxy and worth showing.
	_ = a.Guard(func() error {
		if begin := a.Body[:min(len(a.Body), maxErrorBody)]; !looksLikeJSON(begin) {
			e.Vendor = a.redact.Vendor(bytes.Clone(begin), len(begin) < len(a.Body))
		}
		return nil
	})
	return e
}
