package address

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/internal/secret"
)

const password = "p@ss:/#%w"

// secured is a server that speaks TLS, asks for a client's certificate, and lets in the user
// extractq with the password; all others need one.
func secured(t *testing.T) (Server, string) {
	t.Helper()
	certs, port := redistest.NewCertificates(t), redistest.FreePort(t)
	s := redistest.Start(t, certs.Args(port, true)...)
	rdb := s.Client()
	if err := rdb.ACLSetUser(t.Context(), "extractq", "on", ">"+password, "~*", "&*", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.ConfigSet(t.Context(), "requirepass", "other").Err(); err != nil {
		t.Fatal(err)
	}
	return Server{
		URL: "rediss://127.0.0.1:" + port + "/1", Username: "extractq", Password: secret.New(password),
		TLS: TLS{CAFile: certs.CAFile, CertFile: certs.ClientCertFile, KeyFile: certs.ClientKeyFile},
	}, port
}

func refusedBecause(t *testing.T, s Server) string {
	t.Helper()
	rdb, err := NewClient(s, 2)
	if err != nil {
		return "before: " + err.Error()
	}
	defer func() { _ = rdb.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err = rdb.Ping(ctx).Err()
	if err == nil {
		return "works"
	}
	if text := err.Error(); strings.Contains(text, password) {
		t.Errorf("the error has the password: %s", text)
	}
	return Why(ctx, s, err)
}

// A Redis with TLS, a certificate of its own authority, users and any password is reached
// with the settings beside the URL; each wrong one has an error of its own.
func TestSecuredRedis(t *testing.T) {
	t.Parallel()
	good, port := secured(t)
	open := redistest.Start(t, "--port", redistest.FreePort(t), "--bind", "127.0.0.1")
	openPort := open.Client().ConfigGet(t.Context(), "port").Val()["port"]
	for name, test := range map[string]struct {
		change func(*Server)
		want   string
	}{
		"right": {func(*Server) {}, "works"},
		"credentials in the URL": {func(s *Server) {
			s.URL = "rediss://extractq:p%40ss%3A%2F%23%25w@127.0.0.1:" + port
			s.Password = secret.New("wrong")
		}, "works"},
		"its other name":           {func(s *Server) { s.TLS.ServerName = redistest.Name }, "works"},
		"another name":             {func(s *Server) { s.TLS.ServerName = "elsewhere.test" }, "redis.tls.server_name"},
		"unknown authority":        {func(s *Server) { s.TLS.CAFile = "" }, "redis.tls.ca_file"},
		"no certificate":           {func(s *Server) { s.TLS.CertFile, s.TLS.KeyFile = "", "" }, "redis.tls.cert_file"},
		"wrong password":           {func(s *Server) { s.Password = secret.New("wrong") }, "the password is wrong"},
		"no password":              {func(s *Server) { s.Username, s.Password = "", secret.Secret{} }, "set redis.password"},
		"without TLS":              {func(s *Server) { s.URL, s.TLS = "redis://127.0.0.1:"+port, TLS{} }, "it speaks TLS"},
		"TLS to a port without":    {func(s *Server) { s.URL = "rediss://127.0.0.1:" + openPort }, "does not speak TLS"},
		"nothing there":            {func(s *Server) { s.URL = "rediss://127.0.0.1:" + redistest.FreePort(t) }, ""},
		"nothing there, plain":     {func(s *Server) { s.URL, s.TLS = "redis://127.0.0.1:"+redistest.FreePort(t), TLS{} }, ""},
		"settings without TLS":     {func(s *Server) { s.URL = "redis://127.0.0.1:" + port }, "before: redis.tls is set"},
		"no file":                  {func(s *Server) { s.TLS.CAFile = "/no/such" }, "before: redis.tls.ca_file"},
		"not a certificate":        {func(s *Server) { s.TLS.CAFile = s.TLS.KeyFile }, "before: redis.tls.ca_file"},
		"half a pair":              {func(s *Server) { s.TLS.KeyFile = "" }, "before: redis.tls: cert_file and key_file"},
		"no key":                   {func(s *Server) { s.TLS.KeyFile = s.TLS.CertFile }, "before: redis.tls.cert_file"},
		"no URL":                   {func(s *Server) { s.URL = "rediss://u:" + password + "@h" }, "before: the address is not a valid URL"},
		"a Sentinel's, not theirs": {func(s *Server) { s.URL = "rediss-sentinel://127.0.0.1:" + port }, "master_name is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := good
			test.change(&s)
			if got := refusedBecause(t, s); got != test.want && (test.want == "" || !strings.Contains(got, test.want)) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// In a Cluster and with Sentinels each server's certificate is compared with its own address.
func TestEachServerHasItsOwnName(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"rediss-cluster://a:1?addr=b:2", "rediss-sentinel://u:p@a:1?addr=b:2&master_name=m"} {
		for _, name := range []string{"", "one.name"} {
			o, err := Server{URL: kind, Username: "extractq", Password: secret.New(password), TLS: TLS{ServerName: name}}.options()
			if err != nil {
				t.Fatal(err)
			}
			if o.cluster != nil && (o.cluster.TLSConfig.ServerName != name || o.cluster.Password != password) {
				t.Errorf("%s: name %q, want %q, and the password", kind, o.cluster.TLSConfig.ServerName, name)
			}
			if s := o.sentinel; s != nil && (s.TLSConfig.ServerName != name || s.Password != password || s.SentinelPassword != "p") {
				t.Errorf("%s: name %q, want %q, and both passwords", kind, s.TLSConfig.ServerName, name)
			}
		}
	}
}
