package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func newGuard(t *testing.T, allow ...string) *Guard {
	t.Helper()
	g, err := New("fetch.allow_hosts", allow)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestInternalAddresses(t *testing.T) {
	t.Parallel()
	for host, internal := range map[string]bool{
		"127.0.0.1": true, "127.1.2.3": true, "10.0.0.1": true, "172.16.0.1": true, "172.31.255.255": true, "192.168.1.1": true,
		"169.254.169.254": true, "100.64.0.1": true, "0.0.0.0": true, "224.0.0.1": true, "255.255.255.255": true, "198.18.0.1": true,
		"[::1]": true, "[::]": true, "[fe80::1]": true, "[fe80::1%25eth0]": true, "[fd00::1]": true, "[fc00::1]": true, "[ff02::1]": true,
		"[::ffff:127.0.0.1]": true, "[::ffff:10.0.0.1]": true, "[64:ff9b::7f00:1]": true, "[64:ff9b::a9fe:a9fe]": true,
		"[2002:7f00:1::]": true, "[2001:0:7f00:1::1]": true, "[::127.0.0.1]": true, "[64:ff9b:1::7f00:1]": true, "[fd00:ec2::254]": true, "localhost": true, "LOCALHOST.": true, "a.localhost": true,
		"93.184.215.14": false, "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]": false, "172.32.0.1": false, "100.128.0.1": false,
		"[::ffff:93.184.215.14]": false,
	} {
		err := newGuard(t).CheckLiteral("https://" + host + "/x.pdf")
		blocked, got := errors.AsType[*Blocked](err)
		if got != internal || !got && err != nil {
			t.Errorf("CheckLiteral(%s) = %v, want internal %v", host, err, internal)
		}
		if got && (blocked.Setting != "fetch.allow_hosts" || !strings.Contains(err.Error(), "fetch.allow_hosts")) {
			t.Errorf("the error does not name the setting: %v", err)
		}
	}
}

func TestAllowedHosts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow, host string
		want        bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"10.0.0.0/8", "10.2.3.4", true},
		{"10.0.0.0/8", "[::ffff:10.2.3.4]", true},
		{"10.0.0.0/8", "192.168.0.1", false},
		{"fd00::/8", "[fd00::1]", true},
		{"localhost", "localhost", true},
		{"LocalHost", "LOCALHOST.", true},
		{"*.localhost", "files.localhost", true},
		{"*.localhost", "localhost", false},
		{"*.host", "localhost", false},
	} {
		err := newGuard(t, c.allow).CheckLiteral("http://" + c.host + ":8080/x")
		if (err == nil) != c.want {
			t.Errorf("with %s, CheckLiteral(%s) = %v, want allowed %v", c.allow, c.host, err, c.want)
		}
	}
	if _, err := New("s", []string{"http://x"}); err == nil {
		t.Error("New takes a URL for a host")
	}
}

// TestDialledAddressIsJudged asks for a name whose address is only known when it
// is dialled.
func TestDialledAddressIsJudged(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret") }))
	defer s.Close()
	url := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	for _, u := range []string{s.URL, url} {
		var got bytes.Buffer
		_, err := NewFetcher(newGuard(t), "test").Fetch(t.Context(), u, 0, &got)
		if _, blocked := errors.AsType[*Blocked](err); !blocked || got.Len() > 0 {
			t.Errorf("Fetch(%s) = %v and %q, want it blocked", u, err, got.String())
		}
		if err := newGuard(t).Check(t.Context(), u); err == nil {
			t.Errorf("Check(%s) lets it through", u)
		}
	}
	var got bytes.Buffer
	if _, err := NewFetcher(newGuard(t, "localhost"), "test").Fetch(t.Context(), url, 0, &got); err != nil || got.String() != "secret" {
		t.Errorf("an allowed name gives %v and %q", err, got.String())
	}
	if err := newGuard(t).Check(t.Context(), "https://name.invalid/x"); err != nil {
		t.Errorf("an unknown name is blocked: %v", err)
	}
}

// TestRedirectsAreJudged redirects from an allowed host to one that is not.
func TestRedirectsAreJudged(t *testing.T) {
	t.Parallel()
	var hits int
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer inner.Close()
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inner.URL+"/?token=geheim", http.StatusFound)
	}))
	defer outer.Close()
	// The outer one is known by its name only.
	_, err := NewFetcher(newGuard(t, "localhost"), "test").Fetch(t.Context(), strings.Replace(outer.URL, "127.0.0.1", "localhost", 1)+"/?token=geheim", 0, io.Discard)
	if _, blocked := errors.AsType[*Blocked](err); !blocked || hits > 0 {
		t.Errorf("a redirect to the inside gives %v, and %d requests arrive", err, hits)
	}
	if err != nil && strings.Contains(err.Error(), "geheim") {
		t.Errorf("the error repeats the query: %v", err)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	var referer string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Referer() != "" {
			referer = r.Referer()
		}
		var n int
		switch _, _ = fmt.Sscanf(r.URL.Path, "/hop/%d", &n); {
		case n > 0:
			http.Redirect(w, r, fmt.Sprintf("/hop/%d?token=geheim", n-1), http.StatusFound)
		case r.URL.Path == "/missing":
			http.NotFound(w, r)
		case r.URL.Path == "/away":
			w.Header().Set("Location", "http://%zz/?token=geheim")
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/chunked":
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, strings.Repeat("x", 2000))
		default:
			w.Header().Set("Content-Type", "application/pdf; charset=x")
			_, _ = io.WriteString(w, strings.Repeat("x", 1000))
		}
	}))
	defer s.Close()
	f := NewFetcher(newGuard(t, "127.0.0.0/8"), "test")
	for _, c := range []struct {
		path  string
		limit int64
		want  string // Part of the error; empty for success.
	}{
		{"/x", 0, ""},
		{"/x", 1000, ""},
		{"/x", 999, "too large"},
		{"/chunked", 1999, "too large"},
		{"/hop/5?token=geheim", 0, ""},
		{"/hop/6?token=geheim", 0, "more than 5 redirects"},
		{"/missing?token=geheim", 0, "404 Not Found"},
		{"/away?token=geheim", 0, "no URL"},
	} {
		var got bytes.Buffer
		kind, err := f.Fetch(t.Context(), strings.Replace(s.URL, "http://", "http://user:geheim@", 1)+c.path, c.limit, &got)
		switch {
		case c.want == "" && (err != nil || got.Len() != 1000 || kind != "application/pdf"):
			t.Errorf("Fetch(%s) = %q, %v and %d bytes", c.path, kind, err, got.Len())
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("Fetch(%s) = %v, want %q", c.path, err, c.want)
		case err != nil && strings.Contains(err.Error(), "geheim"):
			t.Errorf("Fetch(%s): the error has a secret: %v", c.path, err)
		}
	}
	if referer != "" {
		t.Errorf("a redirect tells the next host %q", referer)
	}
	for _, bad := range []string{"", "file:///etc/passwd", "ftp://x/y", "http://", "http://a b:geheim@/", "https://%zz"} {
		if _, err := f.Fetch(t.Context(), bad, 0, io.Discard); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("Fetch(%q) = %v", bad, err)
		}
	}
	if got, want := Redact("https://u:p@h/a b?x=y#z"), "https://h/a%20b"; got != want {
		t.Errorf("Redact = %q, want %q", got, want)
	}
}
