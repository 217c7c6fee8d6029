package vendorhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
)

// maxRedirects is enough for a vendor that stores large answers elsewhere.
const maxRedirects = 5

// followWithoutKey lets a GET follow redirects, and removes the key as soon as one leaves
// the scheme, host and port of the API. The standard library would keep it for other ports
// of the same host, and for the same host over plain HTTP.
func followWithoutKey(req *http.Request, via []*http.Request) error {
	transfer.Answered(req.Context())
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("redirect from https to plain http")
	}
	// The address that we come from contains the extraction's id.
	req.Header.Del("Referer")
	for _, hop := range append(via[1:len(via):len(via)], req) {
		if !sameOrigin(hop.URL, via[0].URL) {
			req.Header.Del("Authorization")
			req.Header.Del("Cookie")
			return nil
		}
	}
	return nil
}

// movedTo is where a request with its body is redirected to; nil for nowhere. A document
// never moves from https to plain http.
func (call Call) movedTo(resp *http.Response) *url.URL {
	moved := resp.StatusCode == http.StatusTemporaryRedirect || resp.StatusCode == http.StatusPermanentRedirect
	if call.Reopen == nil || !moved || call.hops >= maxRedirects {
		return nil
	}
	to, err := resp.Location()
	if err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != resp.Request.URL.Scheme {
		return nil
	}
	return to
}

// again repeats a call at another URL, with its body from the beginning.
func (c *Client) again(ctx context.Context, call Call, to *url.URL) (Answer, error) {
	call.Body.seal()
	call.hops++
	call.URL = to.String()
	call.Redact = call.Redact.WithURL(call.URL)
	body, err := call.Reopen()
	if err != nil {
		return Answer{}, &extraction.Error{
			Op: call.Op, Kind: extraction.KindTransient, Err: call.Redact.Err(fmt.Errorf("open the document again: %w", err)),
		}
	}
	call.Body = body
	return c.Do(ctx, call)
}

// redirected says where an answer of the API points that is not followed. The usual cause
// is a base_url that is not quite the API's.
func (call Call) redirected(resp *http.Response) string {
	text := statusText(resp.StatusCode)
	to, err := resp.Location()
	if call.Foreign || err != nil || resp.StatusCode < 300 || resp.StatusCode > 399 || resp.StatusCode == http.StatusSeeOther {
		return text
	}
	bare := url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}
	return text + ": the API is at " + call.Redact.Text(bare.String()) + ", so base_url is wrong"
}

// sameOrigin reports whether two URLs have scheme, host and port in common.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// NewTransport returns the transport of a client without one. It has no overall timeout,
// since the context bounds each call: a poll takes seconds, the upload of a large document
// minutes.
func NewTransport() *http.Transport {
	dial := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: shortQueue}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial.DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 64,
		// Load balancers drop idle connections after 60 s or more. We close them earlier: a
		// submission on a connection that is being closed might or might not arrive.
		IdleConnTimeout: 30 * time.Second,
	}
}
