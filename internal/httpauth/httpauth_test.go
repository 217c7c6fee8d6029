package httpauth

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestFind(t *testing.T) {
	t.Parallel()
	type key struct {
		name   string
		digest [sha256.Size]byte
	}
	keys := []key{{"one", Digest("a")}, {"two", Digest("b")}, {"three", Digest("b")}}
	for secret, want := range map[string]string{"a": "one", "b": "three", "c": "", "": "", "a ": ""} {
		got := ""
		if k := Find(keys, func(k key) [sha256.Size]byte { return k.digest }, secret); k != nil {
			got = k.name
		}
		if got != want {
			t.Errorf("%q is %q, want %q", secret, got, want)
		}
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer k": "k", "bearer  k ": "k", "Basic k": "", "k": "", "": "", "Bearer": "",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		got, ok := Bearer(r)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q brings %q, want %q", header, got, want)
		}
	}
}

func TestOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header, value string
		origin, site  bool
	}{
		{"Accept", "*/*", false, false},
		{"Origin", "http://here.test", false, false},
		{"Origin", "https://here.test:8443", true, false},
		{"Origin", "http://there.test", true, false},
		{"Origin", "null", true, false},
		{"Origin", "http://%zz", true, false},
		{"Sec-Fetch-Site", "none", false, false},
		{"Sec-Fetch-Site", "same-origin", false, false},
		{"Sec-Fetch-Site", "same-site", false, true},
		{"Sec-Fetch-Site", "cross-site", false, true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://here.test/", nil)
		r.Header.Set(tt.header, tt.value)
		if OtherOrigin(r) != tt.origin || OtherSite(r) != tt.site {
			t.Errorf("%s: %s is of another origin: %v, site: %v", tt.header, tt.value, OtherOrigin(r), OtherSite(r))
		}
	}
}
