package callback

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// No attempt reaches an internal address: written out, by a name, or by a name
// that was public a moment before.
func TestInternalAddresses(t *testing.T) {
	t.Parallel()
	dns := &names{answers: map[string][]string{}}
	hosts := []string{
		"127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1",
		"::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
		"2002:7f00:1::1", "2001:0:7f00:1::1", "::127.0.0.1",
	}
	s := newSender(t, func(c *Config) { c.AllowHosts, c.Resolver = nil, dns.resolver() })
	try := func(url string) {
		t.Helper()
		r := send(t, s, deliveryTo(url))
		if r.Outcome != OutcomeRetry || r.Status != 0 || r.Problem != ErrInternal.Error() {
			t.Errorf("%s: %+v, want it refused", url, r)
		}
	}
	for i, host := range hosts {
		url := "http://" + net.JoinHostPort(host, "80") + "/"
		name := string(rune('a'+i)) + ".test"
		dns.answers[name+"."] = []string{host}
		for _, url := range []string{url, "https://" + name + "/"} {
			if err := s.Check(t.Context(), url); !errors.Is(err, ErrInternal) {
				t.Errorf("Check(%s = %s) = %v", url, host, err)
			}
			try(url)
		}
	}
	if !strings.Contains(ErrInternal.Error(), "callbacks.allow_hosts") {
		t.Errorf("%q does not name the setting", ErrInternal)
	}
	try("http://localhost:1/")
	// Spellings that some resolvers take for an address; ours knows no such name.
	for _, url := range []string{"http://2130706433/", "http://0x7f.1/", "http://127.1/"} {
		if r := send(t, s, deliveryTo(url)); r.Outcome != OutcomeRetry || r.Status != 0 {
			t.Errorf("%s: %+v", url, r)
		}
	}
}

// TestRebinding has a name that is public when it is checked and internal when
// it is dialled.
func TestRebinding(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	inside := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	dns := &names{answers: map[string][]string{"rebind.test.": {"93.184.215.14", "127.0.0.1"}}}
	url := strings.Replace(inside.URL, "127.0.0.1", "rebind.test", 1)
	s := newSender(t, func(c *Config) { c.AllowHosts, c.Resolver = []string{"10.0.0.0/8"}, dns.resolver() })
	if err := s.Check(t.Context(), url); err != nil {
		t.Fatalf("Check = %v while the name is public", err)
	}
	if r := send(t, s, deliveryTo(url)); r.Outcome != OutcomeRetry || r.Problem != ErrInternal.Error() || hits.Load() > 0 {
		t.Errorf("%+v, and %d requests arrive", r, hits.Load())
	}
	if err := s.Check(t.Context(), url); !errors.Is(err, ErrInternal) {
		t.Errorf("Check = %v once it is internal", err)
	}
}

// A redirect is not followed, to the inside or anywhere else.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	inside := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		outside := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, status) })
		r := send(t, newSender(t, nil), deliveryTo(outside.URL))
		if r.Outcome != OutcomeRetry || r.Status != status || hits.Load() > 0 || !strings.Contains(r.Problem, "redirects are not followed") {
			t.Errorf("%+v, and %d requests arrive", r, hits.Load())
		}
	}
}

func TestAllowHosts(t *testing.T) {
	t.Parallel()
	p := serve(t, func(http.ResponseWriter, *http.Request) {})
	dns := &names{answers: map[string][]string{"a.corp.": {"127.0.0.1"}, "corp.": {"127.0.0.1"}, "a.test.": {"127.0.0.1"}}}
	for _, tt := range []struct {
		allow, host string
		want        bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "a.test", true},
		{"127.0.0.0/8", "a.test", true},
		{"10.0.0.0/8", "a.test", false},
		{"a.corp", "a.corp", true},
		{"a.corp", "A.Corp.", true},
		{"*.corp", "a.corp", true},
		{"*.corp", "corp", false},
		{"a.corp", "a.test", false},
		{"a.corp", "127.0.0.1", false},
	} {
		s := newSender(t, func(c *Config) { c.AllowHosts, c.Resolver = []string{tt.allow}, dns.resolver() })
		url := strings.Replace(p.URL, "127.0.0.1", tt.host, 1)
		if err := s.Check(t.Context(), url); (err == nil) != tt.want {
			t.Errorf("with %s, Check(%s) = %v", tt.allow, tt.host, err)
		}
		if r := send(t, s, deliveryTo(url)); (r.Outcome == OutcomeDelivered) != tt.want {
			t.Errorf("with %s, Send to %s = %+v", tt.allow, tt.host, r)
		}
	}
}

// A URL of the wrong form is refused when it is handed in, and no attempt is
// made at one that was not asked about.
func TestForm(t *testing.T) {
	t.Parallel()
	s := newSender(t, nil)
	for _, url := range []string{
		"", "x", "/hook", "//h/geheim", "ftp://h/geheim", "file:///geheim", "unix:///geheim", "http://", "http:///geheim", "https://%zz/geheim",
		"http://user@h/", "http://user:geheim@h/", "http://:geheim@h/", "http://h:x/geheim", "http://h/\x00geheim", "javascript:geheim",
	} {
		err := s.Check(t.Context(), url)
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("Check(%q) = %v", url, err)
		}
		r := send(t, s, deliveryTo(url))
		if r.Outcome != OutcomeInvalid || r.Problem == "" || strings.Contains(r.Problem, "geheim") {
			t.Errorf("Send to %q = %+v", url, r)
		}
	}
	for _, url := range []string{"http://127.0.0.1", "HTTPS://127.0.0.1:8443/a?b=c#d", "https://93.184.215.14/"} {
		if err := s.Check(t.Context(), url); err != nil {
			t.Errorf("Check(%s) = %v", url, err)
		}
	}
}

// A name server that is silent or knows nothing is no verdict on a URL: the
// attempt will see.
func TestCheckWithoutNames(t *testing.T) {
	t.Parallel()
	s := newSender(t, func(c *Config) { c.Resolver = (&names{}).resolver() })
	if err := s.Check(t.Context(), "https://nobody.test/"); err != nil {
		t.Errorf("an unknown name: %v", err)
	}
	silent := newSender(t, func(c *Config) {
		c.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
	})
	begun := time.Now()
	if err := silent.Check(t.Context(), "https://nobody.test/"); err != nil || time.Since(begun) > 4*lookupTimeout {
		t.Errorf("a silent name server: %v after %s", err, time.Since(begun))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := silent.Check(ctx, "https://nobody.test/"); !errors.Is(err, context.Canceled) {
		t.Errorf("Check of who went away = %v", err)
	}
}
