// Package callback tells a producer that an extraction is final: one signed
// POST to the URL the producer gave.
//
// The body is a CloudEvents 1.0 event, the signature that of Standard Webhooks.
// A Sender makes one attempt and says what came of it; Next says when another
// is due. The caller keeps the record of the attempts, and gives all of
// them the same event id.
//
// The URL comes from outside. Internal addresses are refused when it is
// handed in, by Check, and again at every attempt by the address that is really
// dialled. Redirects are not followed, no answer is read further than a few
// kilobytes, and no host gets more than a few attempts at once, so that a slow
// one leaves slots to the others.
package callback

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/guard"
)

// setting is where an internal host can be allowed.
const setting = "callbacks.allow_hosts"

const (
	// defaultTimeout is the longest an attempt takes, from the name's look-up to
	// the answer's status.
	defaultTimeout = 15 * time.Second
	// defaultPerHost is how many attempts a customer's hosts, or a host of no customer,
	// get at once.
	defaultPerHost = 8
	// lookupTimeout bounds Check, for which a person or a request waits.
	lookupTimeout = 5 * time.Second
)

// Config is what a Sender needs. Its zero value is usable, and signs nothing.
type Config struct {
	// Secret signs the callbacks: whsec_ and base64 of 24 to 64 bytes. Empty,
	// there is no signature.
	Secret string
	// PreviousSecret signs them as well, while producers change over. Only
	// together with Secret.
	PreviousSecret string
	// Keys are all API keys by name. A callback of a key that is not among them waits:
	// the secret of another would prove nothing to its producer.
	Keys map[string]KeySecret
	// AllowHosts are the internal names, *.suffixes, addresses and CIDRs that a
	// callback may reach nevertheless.
	AllowHosts []string
	// PublicURL is how producers reach the API, without a slash at the end;
	// empty if they do not. It is the event's source, and where a large result
	// can be fetched.
	PublicURL string
	// UserAgent is sent along; empty means Go's own.
	UserAgent string
	// PerHost is the number of attempts at once for a customer, over all its hosts, and
	// for a host of extractions without a customer. Default 8: a small part of the slots
	// there are for deliveries, or slow hosts take them all.
	PerHost int
	// Timeout bounds one attempt. Default 15 s, as producers are told.
	Timeout time.Duration

	// TLS and Resolver are for tests, which have names and authorities of their
	// own; nil is the system's.
	TLS      *tls.Config
	Resolver *net.Resolver
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// KeySecret are the secrets of one API key; both empty are the common ones. The
// previous one signs as well, while the producer changes over.
type KeySecret struct{ Secret, Previous string }

// Delivery is what to send, and where to.
type Delivery struct {
	// URL is the producer's.
	URL string
	// EventID identifies the event to the producer, who sees it again with every
	// repetition: letters, digits, "-" and "_".
	EventID string
	// Key is the name of the API key the extraction came with; it chooses the
	// secret. Empty where it came without.
	Key string
	// Extraction has a final status. A nil Result of a SUCCESS stands for one
	// that is too large to be sent.
	Extraction *extraction.Extraction
}

// Sender makes deliveries. Make one with New; it is safe for concurrent use.
type Sender struct {
	cfg    Config
	guard  *guard.Guard
	client *http.Client
	keys   atomic.Pointer[keyring]
	hosts  *hosts
}

// New returns a Sender. Its error joins everything that is wrong with the
// configuration, by the names of the settings, and repeats no secret.
func New(cfg Config) (*Sender, error) {
	if cfg.PerHost == 0 {
		cfg.PerHost = defaultPerHost
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	var bad error
	if cfg.PerHost < 0 || cfg.Timeout < 0 {
		bad = fmt.Errorf("%d attempts a host and a timeout of %s: neither may be negative", cfg.PerHost, cfg.Timeout)
	}
	keys, badKeys := newKeyring(cfg.Secret, cfg.PreviousSecret, cfg.Keys)
	g, badHosts := guard.New(setting, cfg.AllowHosts)
	if err := errors.Join(bad, badKeys, badHosts); err != nil {
		return nil, err
	}
	g.Resolver = cfg.Resolver
	transport := g.Transport()
	transport.TLSClientConfig = cfg.TLS
	s := &Sender{cfg: cfg, guard: g, hosts: newHosts(cfg.PerHost, cfg.Now), client: &http.Client{
		Transport: crash.Transport("callback", transport),
		// A redirect is an answer like any other that is not 2xx.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.keys.Store(keys)
	return s, nil
}

// SetSecrets takes the secrets of cfg, and nothing else of it, for all attempts
// from now on. With an error nothing has changed.
func (s *Sender) SetSecrets(cfg Config) error {
	keys, err := newKeyring(cfg.Secret, cfg.PreviousSecret, cfg.Keys)
	if err != nil {
		return err
	}
	s.keys.Store(keys)
	return nil
}

// Close closes idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// ErrInternal is returned for a URL that leads to the inside. Its text says
// neither where to nor what a name resolved to, so that it cannot be used to
// explore the internal network.
var ErrInternal = errors.New("the callback URL leads to an internal address; " + setting + " allows it, if it is meant")

// Check judges a URL when it is handed in. A name that cannot be resolved here
// and now is let through: it is judged again by the address that is dialled.
func (s *Sender) Check(ctx context.Context, rawURL string) error {
	if _, err := parse(rawURL); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	err := s.guard.Check(bounded, rawURL)
	if _, blocked := errors.AsType[*guard.Blocked](err); blocked {
		return ErrInternal
	}
	if bounded.Err() != nil { // Ours is no verdict on the URL.
		return ctx.Err()
	}
	return err
}

// parse reads a URL that a callback can go to. Its errors do not repeat it.
func parse(rawURL string) (*url.URL, error) {
	u, err := guard.Parse(rawURL)
	switch {
	case err != nil:
		return nil, errors.New("the callback URL is not of the form http://… or https://…")
	case u.User != nil:
		return nil, errors.New("the callback URL must not have credentials; what is secret about it belongs into its path or query")
	}
	return u, nil
}
