package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

// liveHeap is what is still needed, in bytes.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what the first one's finalizers let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// client makes the three calls that a document at Sensible needs.
type client struct {
	testing.TB
	base string
	http *http.Client
}

func newClient(tb testing.TB, cfg sandbox.Config) client {
	tb.Helper()
	box := sandbox.New(cfg)
	server := httptest.NewServer(box.Handler())
	tb.Cleanup(func() { server.Close(); box.Close() })
	return client{tb, server.URL, server.Client()}
}

func (c client) call(method, url string, body []byte, key string) (answer map[string]any) {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", key)
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.Fatalf("%s: %d %s, %v", method, resp.StatusCode, raw, err)
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &answer); err != nil {
			c.Fatal(err)
		}
	}
	return answer
}

// extract takes a document from submission to result.
func (c client) extract(document []byte) {
	c.Helper()
	receipt := c.call("POST", c.base+"/sensible/v0/generate_upload_url/invoices", []byte("{}"), "Bearer any")
	c.call("PUT", receipt["upload_url"].(string), document, "")
	if x := c.call("GET", c.base+"/sensible/v0/documents/"+receipt["id"].(string), nil, "Bearer any"); x["status"] != "COMPLETE" {
		c.Fatalf("status = %v, want COMPLETE", x["status"])
	}
}

// TestMemoryIsBounded sends far more than the sandbox may remember: neither the
// documents nor the extractions beyond the bound are kept.
//
// It runs alone, or others' memory would count.
func TestMemoryIsBounded(t *testing.T) {
	const documents, size, remembered = 900, 100_000, 100
	c := newClient(t, sandbox.Config{MaxExtractions: remembered})
	document := func(n int) []byte {
		return append([]byte("\xff\xd8\xff\xe0"+fmt.Sprint(n)), make([]byte, size)...)
	}
	send := func(from, to int) {
		for n := from; n < to; n++ {
			c.extract(document(n))
		}
	}
	send(0, remembered)
	before := liveHeap()
	send(remembered, documents)
	// Documents would take 80 MB, forgotten extractions 0.7 MB.
	if grown := liveHeap() - before; grown > 300_000 {
		t.Errorf("%d further extractions took %d bytes, want them forgotten", documents-remembered, grown)
	}
	var list struct{ Extractions []struct{ ID string } }
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/sensible/v0/extractions?limit=1000", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer any")
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if n := len(list.Extractions); n > remembered || n < remembered*9/10 {
		t.Errorf("%d extractions are listed, want at most %d and not many less", n, remembered)
	}
}

// BenchmarkExtraction takes different one-page documents through the sandbox, and
// says what each of them leaves in memory:
//
//	go test -run '^$' -bench Extraction -benchtime 20000x ./sandbox
func BenchmarkExtraction(b *testing.B) {
	c := newClient(b, sandbox.Config{})
	before := liveHeap()
	b.ResetTimer()
	for n := range b.N {
		c.extract(fixtures.Invoice(n))
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
	b.ReportMetric(float64(liveHeap()-before)/float64(b.N), "live-B/doc")
}
