package address

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS is what a Redis with TLS may need beside its URL. The files are in PEM form.
type TLS struct {
	// CAFile has the certificates of the authorities that are trusted, in place of the
	// system's.
	CAFile string
	// CertFile is this process's own certificate, for a Redis that asks for one. It is read
	// for each connection, so that it may be renewed.
	CertFile string
	// KeyFile is the key of that certificate.
	KeyFile string
	// ServerName is the name in the servers' certificates. Empty means the host that is
	// connected to.
	ServerName string
}

// ErrNoTLS is returned where settings for TLS stand beside a URL without it.
var ErrNoTLS = errors.New("redis.tls is set, but the URL is one without TLS: want rediss://, rediss-cluster:// or rediss-sentinel://")

// apply completes the settings of a client, nil for one without TLS. name is the name that is
// expected in the certificate if none is set.
func (t TLS) apply(c *tls.Config, name string) error {
	if c == nil {
		if t != (TLS{}) {
			return ErrNoTLS
		}
		return nil
	}
	c.MinVersion = tls.VersionTLS12
	c.ServerName = name
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return fmt.Errorf("redis.tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("redis.tls.ca_file: %s has no certificate in PEM form", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("redis.tls: cert_file and key_file belong together")
	}
	if t.CertFile == "" {
		return nil
	}
	own := func() (*tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("redis.tls.cert_file, key_file: %w", err)
		}
		return &cert, nil
	}
	if _, err := own(); err != nil {
		return err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own() }
	return nil
}
