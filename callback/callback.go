// Package callback tells a producer that an extraction is final: one signed
// POST to the URL the producer gave.
//
// The body is a CloudEvents 1.0 event with a Standard Webhooks signature. A Sender makes
// one attempt and reports its outcome; Next says when the next attempt is due. The caller
// records the attempts and gives all of them the same event id.
//
// The URL is untrusted. Check refuses internal addresses when it is handed in, and every
// attempt checks the address that is actually dialled. Redirects are not followed, at most
// a few kilobytes of an answer are read, and each host gets a few attempts at once, so that
// slow hosts leave slots to the others.
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

// setting is the setting that allows an internal host.
const setting = "callbacks.allow_hosts"

const (
	// defaultTimeout bounds an attempt, from looking up the name to the status of the
	// answer.
	defaultTimeout = 15 * time.Second
	// defaultPerHost is how many attempts run at once for a customer's hosts, or for one
	// host without a customer.
	defaultPerHost = 8
	// lookupTimeout bounds Check, for which a person or a request waits.
	lookupTimeout = 5 * time.Second
)

// Config configures a Sender. The zero value is usable and signs nothing.
type Config struct {
	// Secret signs the callbacks: whsec_ and base64 of 24 to 64 bytes. Empty means no
	// signature.
	Secret string
	// PreviousSecret signs them as well, during a rotation. It requires Secret.
	PreviousSecret string
	// Keys are all API keys by name. A callback of a key that is missing here waits:
	// another key's secret would prove nothing to its producer.
	Keys map[string]KeySecret
	// AllowHosts are the internal names, *.suffixes, addresses and CIDRs that a callback
	// may nevertheless reach.
	AllowHosts []string
	// PublicURL is how producers reach the API, without a trailing slash; empty if they
	// cannot. It is the source of the event, and where a large result can be fetched.
	PublicURL string
	// UserAgent is the header of that name; empty means Go's default.
	UserAgent string
	// PerHost is the number of attempts at once for a customer, over all its hosts, or for
	// one host of extractions without a customer. Default 8: a small part of the slots for
	// deliveries, so that slow hosts cannot take them all.
	PerHost int
	// Timeout bounds one attempt. Default 15 s, as documented for producers.
	Timeout time.Duration

	// TLS and Resolver are for tests, which use names and authorities of their own; nil
	// means the system's.
	TLS      *tls.Config
	Resolver *net.Resolver
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// KeySecret are the secrets of one API key; if both are empty, the common ones are used.
// The previous one signs as well, during a rotation.
type KeySecret struct{ Secret, Previous string }

// Delivery is what to send, and where.
type Delivery struct {
	// URL is the producer's URL.
	URL string
	// EventID identifies the event to the producer and is the same in every attempt:
	// letters, digits, "-" and "_".
	EventID string
	// Key is the name of the API key that the extraction was submitted with; its secret
	// signs. Empty if there was none.
	Key string
	// Extraction is final. A nil Result of a SUCCESS stands for a result that is too large
	// to send.
	Extraction *extraction.Extraction
}

// Sender makes deliveries. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	guard  *guard.Guard
	client *http.Client
	keys   atomic.Pointer[keyring]
	hosts  *hosts
}

// New returns a Sender. Its error joins all faults of the configuration, by the names of
// the settings, and contains no secret.
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
		// A redirect is treated as any other answer that is not 2xx.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.keys.Store(keys)
	return s, nil
}

// SetSecrets replaces the secrets by those of cfg, for all later attempts, and changes
// nothing else. On an error nothing has changed.
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

// ErrInternal is returned for a URL that leads to an internal address. Its text names
// neither the URL nor what the name resolved to, so that it cannot be used to explore the
// internal network.
var ErrInternal = errors.New("the callback URL leads to an internal address; " + setting + " allows it, if it is meant")

// Check decides on a URL when it is handed in. A name that cannot be resolved now is
// accepted: the dialled address is checked again.
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
	if bounded.Err() != nil { // Our own timeout is no verdict on the URL.
		return ctx.Err()
	}
	return err
}

// parse reads a URL that a callback can be sent to. Its errors do not repeat it.
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
