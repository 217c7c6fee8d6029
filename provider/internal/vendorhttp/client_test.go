package vendorhttp

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/extractq/extractq/extraction"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"no host":          {BaseURL: "https://", Authorization: "Bearer " + key},
		"no scheme":        {BaseURL: "api.example.com", Authorization: "Bearer " + key},
		"other scheme":     {BaseURL: "ftp://api.example.com", Authorization: "Bearer " + key},
		"user":             {BaseURL: "https://u:" + url.QueryEscape(key) + "@api.example.com", Authorization: "Bearer x"},
		"query":            {BaseURL: "https://api.example.com/?" + url.QueryEscape(key), Authorization: "Bearer x"},
		"control":          {BaseURL: "https://api.example.com/\x00" + key, Authorization: "Bearer x"},
		"newline in a key": {BaseURL: "https://api.example.com", Authorization: "Bearer " + key + "\r\nX: y"},
	} {
		_, err := New(cfg)
		if err == nil || strings.Contains(err.Error(), "L1ve") {
			t.Errorf("%s: error %v, want one without the key", name, err)
		}
	}
}

func TestFollowWithoutKey(t *testing.T) {
	t.Parallel()
	at := func(s string) *http.Request {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Request{URL: u, Header: http.Header{"Authorization": {"x"}, "Referer": {"y"}, "Cookie": {"z"}}}
	}
	for name, tt := range map[string]struct {
		via  []string
		to   string
		keep bool
		fail bool
	}{
		"same origin":         {[]string{"https://a.com/1"}, "https://a.com/2", true, false},
		"port spelled out":    {[]string{"https://a.com/1"}, "https://A.com:443/2", true, false},
		"other host":          {[]string{"https://a.com/1"}, "https://b.com/2", false, false},
		"subdomain":           {[]string{"https://a.com/1"}, "https://x.a.com/2", false, false},
		"other port":          {[]string{"https://a.com/1"}, "https://a.com:8443/2", false, false},
		"there and back":      {[]string{"https://a.com/1", "https://b.com/2"}, "https://a.com/3", false, false},
		"upgrade":             {[]string{"http://a.com/1"}, "https://a.com/2", false, false},
		"downgrade":           {[]string{"https://a.com/1"}, "http://a.com/2", false, true},
		"downgrade elsewhere": {[]string{"https://a.com/1"}, "http://b.com/2", false, true},
		"too many":            {strings.Fields(strings.Repeat("https://a.com/ ", 6)), "https://a.com/2", true, true},
	} {
		var via []*http.Request
		for _, s := range tt.via {
			via = append(via, at(s))
		}
		req := at(tt.to)
		err := followWithoutKey(req, via)
		if (err != nil) != tt.fail {
			t.Errorf("%s: error %v", name, err)
		}
		if !tt.fail && (req.Header.Get("Authorization") != "") != tt.keep {
			t.Errorf("%s: key %q", name, req.Header.Get("Authorization"))
		}
		if !tt.fail && (req.Header.Get("Referer") != "" || !tt.keep && req.Header.Get("Cookie") != "") {
			t.Errorf("%s: headers %v", name, req.Header)
		}
	}
}

// TestHTTP2 looks at what counts as sent where the transport is another one.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	got := make(chan error, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		got <- err
		panic(http.ErrAbortHandler)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c, err := New(Config{BaseURL: srv.URL, HTTP: srv.Client(), Authorization: "Bearer " + key})
	if err != nil {
		t.Fatal(err)
	}
	lapsed := errors.New("the lease has lapsed")
	for name, tt := range map[string]struct {
		end  io.Reader
		sent bool
	}{
		"lost":   {strings.NewReader(""), true},
		"lapsed": {iotest.ErrReader(lapsed), false},
	} {
		doc := io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), tt.end))
		_, err := c.Do(t.Context(), Call{
			Op: OpSubmit, Method: http.MethodPost, URL: srv.URL, Submits: true, Body: Stream("", Exact(doc, 1<<20), 1<<20),
		})
		e, ok := errors.AsType[*extraction.Error](err)
		if !ok || e.Kind != extraction.KindTransient || e.Sent != tt.sent || errors.Is(err, lapsed) == tt.sent {
			t.Errorf("%s: %v, want transient, sent %t", name, err, tt.sent)
		}
		if strings.Contains(err.Error(), "read the document: the lease has lapsed") == tt.sent {
			t.Errorf("%s: %v does not say whose fault it was", name, err)
		}
		if arrived := <-got == nil; arrived != tt.sent {
			t.Errorf("%s: arrived %t, want %t", name, arrived, tt.sent)
		}
	}
}

// TestHeaders looks at what a call sends of itself.
func TestHeaders(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 2)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r }))
	t.Cleanup(srv.Close)
	c, err := New(Config{BaseURL: srv.URL + "/", Authorization: "Bearer " + key, UserAgent: "extractq/1.2"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Base() != srv.URL {
		t.Errorf("Base() = %q, want no slash at its end", c.Base())
	}
	for _, foreign := range []bool{false, true} {
		if _, err := c.Do(t.Context(), Call{Op: OpPoll, Method: http.MethodGet, URL: srv.URL, Foreign: foreign}); err != nil {
			t.Fatal(err)
		}
		r := <-got
		want := "Bearer " + key
		if foreign {
			want = ""
		}
		if r.Header.Get("Authorization") != want || r.UserAgent() != "extractq/1.2" {
			t.Errorf("foreign %t: headers %v", foreign, r.Header)
		}
	}
}

// Every request is reported, with the status of its answer.
func TestRequested(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/busy":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/gone":
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(server.Close)
	type request struct {
		op     string
		status int
	}
	var told []request
	c, err := New(Config{BaseURL: server.URL, Requested: func(op string, status int, took time.Duration) {
		if took <= 0 {
			t.Errorf("%s took %v", op, took)
		}
		told = append(told, request{op, status})
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Do(t.Context(), Call{Op: OpProbe, Method: http.MethodGet, URL: server.URL})
	_, _ = c.Do(t.Context(), Call{Op: OpPoll, Method: http.MethodGet, URL: server.URL + "/busy"})
	_, _ = c.Do(t.Context(), Call{Op: OpSubmit, Method: http.MethodPost, URL: server.URL + "/gone"})
	_, _ = c.Do(t.Context(), Call{Op: OpReady, Method: http.MethodGet, URL: ":nonsense"}) // No request.
	want := []request{{OpProbe, 200}, {OpPoll, 429}, {OpSubmit, 0}}
	if !slices.Equal(told, want) {
		t.Errorf("reported %v, want %v", told, want)
	}
}
