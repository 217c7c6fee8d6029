package providertest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Fixture reads a file of the package's testdata.
func Fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// FixtureReply is a fixture as an answer; its extension gives the content type.
func FixtureReply(t testing.TB, status int, name string, header ...string) Reply {
	t.Helper()
	kind := map[string]string{
		".json": "application/json", ".txt": "text/plain", ".xml": "application/xml", ".html": "text/html",
	}[filepath.Ext(name)]
	h := http.Header{"Content-Type": {kind}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return Reply{Status: status, Header: h, Body: strings.TrimSuffix(Fixture(t, name), "\n")}
}

// CheckRequest compares a request with a fixture of the form
//
//	{"method": "POST", "path": "/v0/x", "query": {"k": "v"}, "header": {"Content-Type": "…"}, "body": {…}}
//
// in which a header that must be absent is null, and which has no body where
// the request must have none.
func CheckRequest(t testing.TB, got Request, fixture string) {
	t.Helper()
	var want struct {
		Method string             `json:"method"`
		Path   string             `json:"path"`
		Query  map[string]string  `json:"query"`
		Header map[string]*string `json:"header"`
		Body   json.RawMessage    `json:"body"`
	}
	d := json.NewDecoder(strings.NewReader(Fixture(t, fixture)))
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil {
		t.Fatalf("%s: %v", fixture, err)
	}
	if got.Method != want.Method || got.Path != want.Path {
		t.Errorf("%s: request %s %s, want %s %s", fixture, got.Method, got.Path, want.Method, want.Path)
	}
	query, err := url.ParseQuery(got.Query)
	if err != nil {
		t.Errorf("%s: query: %v", fixture, err)
	}
	for name, values := range query {
		if want.Query[name] != strings.Join(values, "|") {
			t.Errorf("%s: query %s = %q, want %q", fixture, name, values, want.Query[name])
		}
	}
	for name := range want.Query {
		if !query.Has(name) {
			t.Errorf("%s: the query has no %s", fixture, name)
		}
	}
	for name, value := range want.Header {
		if values := got.Header.Values(name); value == nil && len(values) > 0 || value != nil && got.Header.Get(name) != *value {
			t.Errorf("%s: header %s = %q", fixture, name, values)
		}
	}
	if g, w := canonical(t, got.Body), canonical(t, want.Body); g != w {
		t.Errorf("%s: body\n got %s\nwant %s", fixture, g, w)
	}
}

// canonical is JSON with sorted members, so that texts can be compared.
func canonical(t testing.TB, raw []byte) string {
	t.Helper()
	if len(bytes.TrimSpace(raw)) == 0 {
		return ""
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Errorf("body %.200q: %v", raw, err)
		return ""
	}
	return encode(t, v)
}
