package sandbox_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

// clock is a clock that goes when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// server is a sandbox behind a real listener, with a clock of its own. Documents
// take 2 s unless cfg says otherwise, and tax forms and invoices have rules.
type server struct {
	*testing.T
	*clock
	URL string
}

func start(t *testing.T, cfg sandbox.Config) server {
	t.Helper()
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	cfg.Now = c.Now
	if cfg.ProcessingTime.IsZero() {
		cfg.ProcessingTime = sandbox.Fixed(2 * time.Second)
	}
	if cfg.Rules == nil {
		rules, err := sandbox.ParseRules(map[string]map[string]string{
			fixtures.TaxFormType: fixtures.TaxFormRules(), fixtures.InvoiceType: fixtures.InvoiceRules(),
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Rules = rules
	}
	box := sandbox.New(cfg)
	s := httptest.NewServer(box.Handler())
	t.Cleanup(func() {
		s.Close()
		box.Close()
	})
	return server{t, c, s.URL}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// call sends a request. headers are name, value, name, value.
func (s server) call(method, url string, body []byte, headers ...string) answer {
	s.Helper()
	return s.send(method, url, bytes.NewReader(body), headers...)
}

func (s server) send(method, url string, body io.Reader, headers ...string) answer {
	s.Helper()
	if !strings.HasPrefix(url, "http") {
		url = s.URL + url
	}
	req, err := http.NewRequestWithContext(s.Context(), method, url, body)
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

// object is the answer's JSON; the status must be as wanted.
func (s server) object(a answer, status int) map[string]any {
	s.Helper()
	if a.status != status {
		s.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		s.Fatalf("answer is no JSON object: %v: %s", err, a.body)
	}
	return v
}

// sensible calls Sensible's API with a key.
func (s server) sensible(method, path, body string) answer {
	s.Helper()
	return s.call(method, "/sensible/v0"+path, []byte(body), "Authorization", "Bearer any", "Content-Type", "application/json")
}

// typless calls Typless's API with a key.
func (s server) typless(method, path, body string) answer {
	s.Helper()
	return s.call(method, "/typless/api"+path, []byte(body), "Authorization", "Token any", "Content-Type", "application/json")
}

// submitSensible uploads a document and returns its id.
func (s server) submitSensible(path string, document []byte) string {
	s.Helper()
	body := "{}"
	if path == "/generate_upload_url/" {
		body = `{"types":["tax_forms","invoices"]}`
	}
	receipt := s.object(s.sensible("POST", path, body), 200)
	if put := s.call("PUT", receipt["upload_url"].(string), document); put.status != 200 || put.body != "" {
		s.Fatalf("PUT = %d %s, want an empty 200", put.status, put.body)
	}
	return receipt["id"].(string)
}

// submitTypless sends a document and returns its id.
func (s server) submitTypless(document []byte, extra string) string {
	s.Helper()
	body := `{"file":"` + base64.StdEncoding.EncodeToString(document) + `","file_name":"a.pdf"` + extra + `}`
	return s.object(s.typless("POST", "/extract-data-async", body), 202)["extraction_id"].(string)
}
