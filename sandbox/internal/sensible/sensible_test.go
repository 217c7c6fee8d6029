package sensible

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/fields"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
	"github.com/extractq/extractq/sandbox/internal/webhook"
)

func testConfig(now func() time.Time) Config {
	e := engine.New[Meta](engine.Config{Now: now, Latency: func(*rand.Rand) time.Duration { return 0 }})
	return Config{
		Engine: e, Bodies: httpkit.NewBodies(1 << 20), UploadTTL: 15 * time.Minute, MaxDocument: 1 << 16,
		ContentType: CheckStrict, SigningKey: []byte("test"), Fetch: NewFetcher(e, 1<<16, nil),
		Hooks: webhook.New(webhook.Config{Now: now, Logger: slog.New(slog.DiscardHandler)}),
	}
}

// FuzzUploadURL looks for another query that passes for the signed one. Only the
// order and the spelling of its parameters may differ.
func FuzzUploadURL(f *testing.F) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := &api{testConfig(func() time.Time { return now })}
	x := a.Engine.Open("id", Meta{Type: "a"})
	u, err := url.Parse(a.uploadURL("http://h", x))
	if err != nil {
		f.Fatal(err)
	}
	signed := u.Query()
	f.Add("PUT", u.Path, u.RawQuery)
	f.Add("PUT", u.Path+"0", u.RawQuery)
	f.Add("GET", u.Path, u.RawQuery)
	f.Add("PUT", u.Path, u.RawQuery+"&X-Amz-Expires=1000")
	f.Add("PUT", u.Path, strings.Replace(u.RawQuery, "X-Amz-Date=2026", "X-Amz-Date=2027", 1))
	f.Add("PUT", u.Path, "X-Amz-Signature=&X-Amz-Date=20260301T120000Z&X-Amz-Expires=1&X-Amz-Algorithm=AWS4-HMAC-SHA256")
	f.Fuzz(func(t *testing.T, method, path, query string) {
		if a.verify(method, path, query, now) != nil {
			return
		}
		got, err := url.ParseQuery(query)
		if err != nil || method != "PUT" || path != u.Path || !cmp.Equal(got, signed) {
			t.Errorf("%s %s?%s passes for what was signed", method, path, query)
		}
	})
}

// FuzzSubmission sends any body to all submitting calls. The answer is a 200 or
// a 400, never a fault.
func FuzzSubmission(f *testing.F) {
	cfg := testConfig(time.Now)
	// Closed, it takes no work: a fuzzer's URLs are not to be fetched.
	cfg.Fetch.Close()
	handler := Handler(cfg)
	f.Add("generate_upload_url", `{"types":["a"],"segment_documents_with":"llm"}`)
	f.Add("generate_upload_url/a", `{"content_type":"application/pdf","extra_data":{"a":null},"webhook":{"url":"http://h","payload":[1]}}`)
	f.Add("generate_upload_url/a/b", `null`)
	f.Add("generate_upload_url/a?environment=x&document_name=%00", `[]`)
	f.Fuzz(func(t *testing.T, path, body string) {
		u, err := url.Parse("http://h/sensible/v0/" + path)
		if err != nil || strings.Contains(u.Path, "extract_from_url") {
			return
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://h/", strings.NewReader(body))
		r.URL = u
		r.Header.Set("Authorization", "Bearer k")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("POST %s %s = %d %s", path, body, w.Code, w.Body)
		}
	})
}

func TestSplit(t *testing.T) {
	t.Parallel()
	rules, err := fields.Parse(map[string]map[string]string{
		"form":    {"name": `name (\w+)`, "tax": `tax (\d+)`},
		"invoice": {"total": `total (\d+)`},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &api{Config{Rules: rules}}
	both, other := []string{"form", "invoice"}, []string{"a", "b", "c"}
	for _, test := range []struct {
		name  string
		types []string
		pages []string
		want  []part
	}{
		{"by what is on them", both, []string{"total 1", "name a tax 2"}, []part{{"invoice", 0, 1}, {"form", 1, 2}}},
		{"other pages go with the one before", both, []string{"cover", "name a", "terms", "total 1", "end"}, []part{{"form", 0, 3}, {"invoice", 3, 5}}},
		{"a field on every page", both, []string{"name a", "name a tax 1"}, []part{{"form", 0, 2}}},
		{"two of a type", both, []string{"name a tax 1", "name b tax 1"}, []part{{"form", 0, 1}, {"form", 1, 2}}},
		{"the type that finds more", both, []string{"name a tax 1 total 1"}, []part{{"form", 0, 1}}},
		{"a type that was not asked for", []string{"invoice", "a"}, []string{"name a", "total 1"}, []part{{"invoice", 0, 2}}},
		{"nothing found", both, []string{"x", "y", "z"}, []part{{"form", 0, 1}, {"invoice", 1, 3}}},
		{"no rules", other[:1], []string{"x", "y", "z"}, []part{{"a", 0, 3}}},
		{"more types than pages", other, []string{"x", "y"}, []part{{"a", 0, 1}, {"b", 1, 2}}},
		{"no pages", other, nil, []part{}},
	} {
		if diff := cmp.Diff(test.want, a.split(test.types, test.pages), cmp.AllowUnexported(part{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestFetcherThatIsClosedTakesNothing(t *testing.T) {
	t.Parallel()
	cfg := testConfig(time.Now)
	cfg.Fetch.Close()
	cfg.Fetch.Close()
	if cfg.Fetch.Enqueue("id", "http://h", "") {
		t.Error("Enqueue after Close reports true")
	}
}
