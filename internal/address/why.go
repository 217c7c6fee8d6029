package address

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// probeTimeout is how long a server may take to greet a client that tries TLS.
const probeTimeout = 2 * time.Second

// Why is what has to be changed before a Redis that refused a client can be used, and empty
// if nothing has: it may be away for a while.
func Why(ctx context.Context, s Server, err error) string {
	if why := ofCertificate(err); why != "" {
		return why
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return noTLS
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "invalid username-password pair"), strings.Contains(text, "invalid password"):
		return "the user or the password is wrong: set redis.username and redis.password"
	case redis.IsAuthError(err), strings.Contains(text, "NOAUTH"), strings.Contains(text, "AUTH <password> called without any password"):
		return "it asks for a password, or for none: set redis.password, and redis.username where it has users"
	case redis.IsPermissionError(err), strings.Contains(text, "NOPERM"):
		return "this user may not do what extractq must: give it the rights in docs/operating.md"
	}
	u, parseErr := url.Parse(s.URL)
	if parseErr != nil || u.Host == "" || !silent(err) {
		return ""
	}
	switch withTLS := strings.HasPrefix(s.URL, "rediss"); {
	case withTLS && speaksPlain(ctx, u):
		return noTLS
	case withTLS:
		return ofCertificate(s.alert(ctx, u))
	case speaksTLS(ctx, u):
		return "it speaks TLS on this port: use a URL with it (rediss for redis)"
	}
	return ""
}

// alert is how the server behind a URL ends a connection that is begun as a client's. It may
// say so only after the handshake, when the client's own write has failed already.
func (s Server) alert(ctx context.Context, u *url.URL) error {
	o, err := s.options()
	if err != nil {
		return err
	}
	var cfg *tls.Config
	switch {
	case o.cluster != nil:
		cfg = o.cluster.TLSConfig
	case o.sentinel != nil:
		cfg = o.sentinel.TLSConfig
	default:
		cfg = o.single.TLSConfig
	}
	ctx, cancel, where := reach(ctx, u)
	defer cancel()
	d := tls.Dialer{Config: cfg}
	c, err := d.DialContext(ctx, "tcp", where)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(probeTimeout)); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}

const noTLS = "it does not speak TLS on this port: use a URL without it (redis for rediss)"

// silent reports whether a server that was reached did not answer, as one does that was
// spoken to in the wrong way.
func silent(err error) bool {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, context.DeadlineExceeded, os.ErrDeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// ofCertificate is what has to be changed where a certificate was refused.
func ofCertificate(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its certificate is signed by an unknown authority: set redis.tls.ca_file"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for another name: set redis.tls.server_name"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return "its certificate has expired or is not valid yet: renew it, or set the clock"
		}
		return "its certificate cannot be used"
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return wantsCertificate(alert.Error())
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return wantsCertificate(op.Err.Error())
	}
	return ""
}

// wantsCertificate explains what a server says before it ends a handshake.
func wantsCertificate(alert string) string {
	if strings.Contains(alert, "certificate") || strings.Contains(alert, "unknown authority") {
		return "it does not accept this client's certificate, or asks for one: set redis.tls.cert_file and key_file"
	}
	return "it ends the TLS handshake: look into its log"
}

// reach returns a context and an address for a short look at the server behind a URL.
func reach(ctx context.Context, u *url.URL) (context.Context, context.CancelFunc, string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	return ctx, cancel, net.JoinHostPort(u.Hostname(), port)
}

// speaksTLS reports whether the server behind a URL answers a client that begins TLS.
func speaksTLS(ctx context.Context, u *url.URL) bool {
	ctx, cancel, where := reach(ctx, u)
	defer cancel()
	// Nothing is sent to it but the greeting, so its certificate does not matter.
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
	c, err := d.DialContext(ctx, "tcp", where)
	if err == nil {
		_ = c.Close()
		return true
	}
	// It greets, and then refuses a client without a certificate.
	op, ok := errors.AsType[*net.OpError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return alert || ok && op.Op == "remote error"
}

// speaksPlain reports whether the server behind a URL answers a client without TLS.
func speaksPlain(ctx context.Context, u *url.URL) bool {
	ctx, cancel, where := reach(ctx, u)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", where)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(probeTimeout)) // Where it cannot be set, the read is as patient as the server.
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return false
	}
	var first [1]byte
	_, err = io.ReadFull(c, first[:])
	return err == nil && (first[0] == '+' || first[0] == '-')
}
