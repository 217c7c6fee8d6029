package vendorhttp

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/extractq/extractq/internal/transfer"
)

// maxRedirects is enough for a vendor that stores large answers elsewhere.
const maxRedirects = 5

// followWithoutKey lets a GET follow redirects and takes the key off as soon as
// one leaves the scheme, host and port of the API. The standard library keeps
// it for other ports of the same host, and for the same host over plain HTTP.
func followWithoutKey(req *http.Request, via []*http.Request) error {
	transfer.Moved(req.Context())
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("redirect from https to plain http")
	}
	// The address we came from has the extraction's id in it.
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

// NewTransport returns the transport of a client that was given none. It has no
// overall timeout, since the context of each call bounds it: a poll takes
// seconds, the upload of a large document minutes.
func NewTransport() *http.Transport {
	dial := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: shortQueue}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial.DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 64,
		// Load balancers drop idle connections after 60 s and more. We leave
		// earlier: a submission on a connection that is just being closed would
		// be one of which nobody can tell whether it arrived.
		IdleConnTimeout: 30 * time.Second,
	}
}
