package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are an authority that no system knows, and certificates of it in files.
type Certificates struct {
	// CAFile is the authority's certificate.
	CAFile string
	// CertFile and KeyFile are a server's, for 127.0.0.1 and Name.
	CertFile, KeyFile string
	// ClientCertFile and ClientKeyFile are a client's.
	ClientCertFile, ClientKeyFile string
}

// Name is the name in a server's certificate beside 127.0.0.1.
const Name = "redis.test"

// NewCertificates writes new certificates into a folder of the test. addresses are those of
// the server's, 127.0.0.1 if there are none.
func NewCertificates(t testing.TB, addresses ...string) Certificates {
	t.Helper()
	dir := t.TempDir()
	c := Certificates{
		CAFile:   filepath.Join(dir, "ca.pem"),
		CertFile: filepath.Join(dir, "server.pem"), KeyFile: filepath.Join(dir, "server.key"),
		ClientCertFile: filepath.Join(dir, "client.pem"), ClientKeyFile: filepath.Join(dir, "client.key"),
	}
	if len(addresses) == 0 {
		addresses = []string{"127.0.0.1"}
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redistest"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	caKey := newKey(t)
	write(t, c.CAFile, "CERTIFICATE", sign(t, ca, ca, caKey, caKey))
	leaf := func(certFile, keyFile string, serial int64, usage x509.ExtKeyUsage) {
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: Name}, DNSNames: []string{Name},
			NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
			// The servers of a Cluster are each other's clients.
			ExtKeyUsage: []x509.ExtKeyUsage{usage, x509.ExtKeyUsageClientAuth},
		}
		for _, a := range addresses {
			cert.IPAddresses = append(cert.IPAddresses, net.ParseIP(a))
		}
		key := newKey(t)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, certFile, "CERTIFICATE", sign(t, cert, ca, key, caKey))
		write(t, keyFile, "PRIVATE KEY", der)
	}
	leaf(c.CertFile, c.KeyFile, 2, x509.ExtKeyUsageServerAuth)
	leaf(c.ClientCertFile, c.ClientKeyFile, 3, x509.ExtKeyUsageClientAuth)
	return c
}

// Args make a server speak TLS on a port, and nothing else there. With clients it asks for
// their certificates, too.
func (c Certificates) Args(port string, clients bool) []string {
	auth := "no"
	if clients {
		auth = "yes"
	}
	return []string{
		"--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file", c.CertFile, "--tls-key-file", c.KeyFile,
		"--tls-ca-cert-file", c.CAFile, "--tls-auth-clients", auth, "--tls-replication", "yes", "--tls-cluster", "yes",
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func write(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
