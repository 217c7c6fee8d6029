package callback

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/guard"
	"github.com/extractq/extractq/internal/retryafter"
)

// Outcome is the result of an attempt.
type Outcome string

// The outcomes.
const (
	// OutcomeDelivered: the host answered 2xx.
	OutcomeDelivered Outcome = "delivered"
	// OutcomeRetry: the next attempt may succeed.
	OutcomeRetry Outcome = "retry"
	// OutcomeGone: the host answered 410, the address is gone for good.
	OutcomeGone Outcome = "gone"
	// OutcomeInvalid: no request can ever be made to the URL.
	OutcomeInvalid Outcome = "invalid"
	// OutcomeBusy: no attempt was made, because too many are running or the key is unknown.
	// Come back after RetryAfter; it does not count as an attempt.
	OutcomeBusy Outcome = "busy"
)

// Result describes an attempt, for the record.
type Result struct {
	Outcome Outcome
	// Status is the HTTP status of the answer; 0 if there was none.
	Status int
	// RetryAfter is how long the host asks to wait; 0 if it does not.
	RetryAfter time.Duration
	// Problem says why the event was not delivered; empty if it was. It contains no part of
	// the URL and no address, and may be shown to the producer.
	Problem string
	// Took is the time from the request to the status.
	Took time.Duration
}

const (
	// maxAnswer and drainTime bound how much of an answer's body is read. It is only read
	// so that the connection can be used again.
	maxAnswer = 4 << 10
	drainTime = time.Second
	// keyAgain is when a callback whose key is unknown is attempted again.
	keyAgain = 30 * time.Second
)

var eventIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// Send makes one attempt. An error is not an outcome: either ctx ended, and it is unknown
// whether the producer has the event, or the delivery is invalid.
func (s *Sender) Send(ctx context.Context, d Delivery) (Result, error) {
	if !eventIDPattern.MatchString(d.EventID) {
		return Result{}, errors.New("callback: the event's id is not of letters, digits, - and _")
	}
	if d.Extraction == nil || !d.Extraction.Status.Final() {
		return Result{}, fmt.Errorf("callback %s: there is no final extraction", d.EventID)
	}
	u, err := parse(d.URL)
	if err != nil {
		return Result{Outcome: OutcomeInvalid, Problem: err.Error()}, nil
	}
	keys := s.keys.Load()
	if !keys.knows(d.Key) {
		return Result{Outcome: OutcomeBusy, RetryAfter: keyAgain, Problem: fmt.Sprintf(
			"waiting: the workers' configuration has no API key %q, and another key's secret must not sign its callbacks", d.Key)}, nil
	}
	// The body is made while the slot is held, as results are large.
	done, wait := s.hosts.enter(slotID(u, d.Extraction.Customer))
	if done == nil {
		return Result{Outcome: OutcomeBusy, RetryAfter: wait}, nil
	}
	defer done()
	body, err := encodeEvent(s.cfg.PublicURL, d)
	if err != nil {
		return Result{}, fmt.Errorf("callback %s: %w", d.EventID, err)
	}
	return s.post(ctx, u, keys, d, body)
}

// slotID is what slots are counted by: the customer, whatever its hosts, so that its slow
// hosts, or a host that others use too, hold up no other customer; without a customer, the
// host's name, whatever the port.
func slotID(u *url.URL, customer extraction.Null) string {
	if customer != "" {
		return "customer/" + string(customer)
	}
	return "host/" + strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

// post sends the body and reads the status.
func (s *Sender) post(ctx context.Context, u *url.URL, keys *keyring, d Delivery, body []byte) (Result, error) {
	bounded, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(bounded, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return Result{Outcome: OutcomeInvalid, Problem: "the callback URL cannot be requested"}, nil
	}
	r.Header.Set("Content-Type", contentType)
	if s.cfg.UserAgent != "" {
		r.Header.Set("User-Agent", s.cfg.UserAgent)
	}
	begun := s.cfg.Now()
	keys.sign(r.Header, d.Key, d.EventID, begun, body)
	answer, err := s.client.Do(r)
	took := s.cfg.Now().Sub(begun)
	if err != nil {
		if ctx.Err() != nil {
			return Result{}, fmt.Errorf("callback %s: %w", d.EventID, context.Cause(ctx))
		}
		return Result{Outcome: OutcomeRetry, Problem: s.problem(err), Took: took}, nil
	}
	defer func() { _ = answer.Body.Close() }()
	result := s.read(answer)
	result.Took = took
	// The status decides; what happens to the body changes nothing.
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return result, nil // The body is the raw connection, which no context ends.
	}
	timer := time.AfterFunc(drainTime, cancel)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer)
	return result, nil
}

// read is the outcome that an answer means.
func (s *Sender) read(answer *http.Response) Result {
	result := Result{Outcome: OutcomeRetry, Status: answer.StatusCode}
	switch {
	case answer.StatusCode >= 200 && answer.StatusCode <= 299:
		result.Outcome = OutcomeDelivered
		return result
	case answer.StatusCode == http.StatusGone:
		result.Outcome = OutcomeGone
	default:
		result.RetryAfter, _ = retryafter.Read(answer.Header, s.cfg.Now)
	}
	// The reason phrase is the host's own and is not repeated.
	result.Problem = strings.TrimSpace(fmt.Sprintf("the host answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode)))
	if answer.StatusCode >= 300 && answer.StatusCode <= 399 {
		result.Problem += "; redirects are not followed"
	}
	return result
}

// problem replaces an error of the client by a text of our own: the error's has the URL,
// and the addresses of hosts and name servers.
func (s *Sender) problem(err error) string {
	if _, blocked := errors.AsType[*guard.Blocked](err); blocked {
		return ErrInternal.Error()
	}
	if _, dns := errors.AsType[*net.DNSError](err); dns {
		return "the host's name cannot be resolved"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "the host cannot be connected to"
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificateProblem(bad.Err)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Sprintf("no answer within %s", s.cfg.Timeout)
	}
	return "the connection broke, or the answer is no HTTP"
}

// certificateProblem names the common mistakes with a certificate.
func certificateProblem(err error) string {
	const what = "the host's TLS certificate is not accepted: "
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return what + "it is for another name"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return what + "it has expired or is not valid yet"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return what + "it comes from an unknown authority, or an intermediate certificate is missing"
	}
	return what + "it is invalid"
}
