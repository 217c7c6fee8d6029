package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/extractq/extractq/internal/fixtures"
)

// postDocument submits a PDF over HTTP; headers are pairs.
func postDocument(t *testing.T, url string, document []byte, headers ...string) (answer map[string]any, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/pdf")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(body)), res.StatusCode
}

// TestAPIInUp takes a document over HTTP through everything: it is submitted, waited
// for, and its producer is called back.
func TestAPIInUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	var mu sync.Mutex
	var called []map[string]any
	producer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		called = append(called, parse(t, string(body)))
		if r.Header.Get("webhook-signature") == "" || r.Header.Get("Content-Type") != "application/cloudevents+json" {
			t.Errorf("called back with %v", r.Header)
		}
	}))
	t.Cleanup(producer.Close)
	s.write("extractq.yaml", `callbacks: {secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", allow_hosts: ["127.0.0.1"]}
`)
	base := s.start("up", "--provider", "sandbox", "--listen", "127.0.0.1:0").saysWhere()
	post := func(path string) (map[string]any, int) {
		t.Helper()
		return postDocument(t, base+path, fixtures.TaxForm(1), "Idempotency-Key", "k1")
	}
	path := "/v1/extractions?type=tax_forms&name=1040.pdf&callback_url=" + strings.ReplaceAll(producer.URL, ":", "%3A")
	v, code := post(path + "&wait=60s")
	if code != http.StatusOK || v["status"] != "SUCCESS" {
		t.Fatalf("%d %v", code, v)
	}
	wantShape(t, "whole", v)
	if again, code := post(path); code != http.StatusOK || again["id"] != v["id"] {
		t.Errorf("repeated: %d %v, want %v", code, again["id"], v["id"])
	}
	eventually(t, "the producer is called back", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(called) > 0
	})
	mu.Lock()
	event := called[0]
	mu.Unlock()
	if data, _ := event["data"].(map[string]any); event["type"] != "extractq.extraction.finished" || data["id"] != v["id"] {
		t.Errorf("called back with %v", event)
	}
	eventually(t, "the callback is shown as delivered", func() bool {
		id, _ := v["id"].(string)
		callback, _ := parse(t, get(t, base+"/v1/extractions/"+id))["callback"].(map[string]any)
		return callback["state"] == "delivered"
	})
	if got := get(t, base+"/openapi.json"); !strings.Contains(got, "/v1/extractions") {
		t.Errorf("the description is %q", tail(got))
	}
}
