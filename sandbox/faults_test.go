package sandbox_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

func faults(t *testing.T, texts ...string) []sandbox.Fault {
	t.Helper()
	var out []sandbox.Fault
	for _, text := range texts {
		f, err := sandbox.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// TestFaultAnswers is what each refusal looks like, in the vendor's own form.
func TestFaultAnswers(t *testing.T) {
	t.Parallel()
	const submitTypless = `{"file":"","file_name":"a.pdf","document_type_name":"invoices"}`
	for _, test := range []struct {
		fault, method, path, body string
		status                    int
		kind, want                string
	}{
		{"submit:429=1", "POST", "/sensible/v0/generate_upload_url/a", "{}", 429, "application/json", `^{"error":"Rate limit exceeded"}$`},
		{"poll:500=1", "GET", "/sensible/v0/documents/x", "", 500, "text/plain", `^Sensible encountered an unknown error$`},
		{"list:502=1", "GET", "/sensible/v0/extractions", "", 502, "text/html", `^<html>.*502 Bad Gateway`},
		{"upload:429=1", "PUT", "/sensible/upload/a", "x", 503, "application/xml", `<Code>SlowDown</Code>`},
		{"upload:500=1", "PUT", "/sensible/upload/a", "x", 500, "application/xml", `<Code>InternalError</Code>`},
		{"submit:429=1", "POST", "/typless/api/extract-data-async", submitTypless, 429, "application/json", `^{"code":"too_many_requests"`},
		{"*:500=1", "POST", "/typless/api/v1/extract-data", submitTypless, 500, "application/json", `^{"code":"internal_server_error"`},
		{"list:500=1", "GET", "/typless/api/v1/awaiting-poll", "", 500, "application/json", `^{"code":"internal_server_error"`},
		{"submit:truncated=1", "POST", "/typless/api/extract-data-async", submitTypless, 202, "application/json", `^{"extraction_id":"[0-9a-f]+$`},
		// What the faults are not about.
		{"poll:500=1", "GET", "/sensible/v0/extractions", "", 200, "application/json", `^{"extractions":\[\]`},
		{"*:500=0", "GET", "/typless/api/awaiting-poll", "", 200, "application/json", `^{"extraction_ids":\[\]`},
		{"*:500=1", "GET", "/healthz", "", 200, "text/plain", `^ok$`},
		{"*:500=1", "GET", "/sensible/v0/other", "", 404, "text/plain", `^Not found$`},
	} {
		s := start(t, sandbox.Config{Faults: faults(t, test.fault)})
		scheme := "Bearer any"
		if strings.HasPrefix(test.path, "/typless") {
			scheme = "Token any"
		}
		got := s.call(test.method, test.path, []byte(test.body), "Authorization", scheme, "Content-Type", "application/json")
		if got.status != test.status || !strings.HasPrefix(got.header.Get("Content-Type"), test.kind) || !regexp.MustCompile("(?s)"+test.want).MatchString(got.body) {
			t.Errorf("%s: %s %s = %d %s %q, want %d %s %s", test.fault, test.method, test.path,
				got.status, got.header.Get("Content-Type"), got.body, test.status, test.kind, test.want)
		}
		if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") ||
			got.header.Get("X-Frame-Options") != "DENY" || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %s could be shown within another page: %v", test.fault, test.path, got.header)
		}
		if retry := got.header.Get("Retry-After"); (test.status == 429) != (retry == "1") {
			t.Errorf("%s: Retry-After = %q of a %d", test.fault, retry, test.status)
		}
	}
}

// TestDroppedConnections: one drop loses the request, the other the answer.
func TestDroppedConnections(t *testing.T) {
	t.Parallel()
	for kind, arrived := range map[string]int{"drop-before": 0, "drop-after": 1} {
		s := start(t, sandbox.Config{Faults: faults(t, "submit:"+kind+"=1")})
		body := `{"file":"` + base64.StdEncoding.EncodeToString(fixtures.Invoice(1)) + `","file_name":"a.pdf","document_type_name":"invoices"}`
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/typless/api/extract-data-async", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Token any")
		req.Header.Set("Content-Type", "application/json")
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s: answered %d, want a broken connection", kind, resp.StatusCode)
		}
		s.pass(2 * time.Second)
		var list struct {
			IDs []string `json:"extraction_ids"`
		}
		if err := json.Unmarshal([]byte(s.typless("GET", "/awaiting-poll", "").body), &list); err != nil {
			t.Fatal(err)
		}
		if len(list.IDs) != arrived {
			t.Errorf("%s: %d extractions, want %d", kind, len(list.IDs), arrived)
		}
	}
}

// TestTruncatedAnswer is complete for HTTP and no JSON.
func TestTruncatedAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{Faults: faults(t, "poll:truncated=1")})
	id := s.submitSensible("/generate_upload_url/tax_forms", fixtures.TaxForm(1))
	s.pass(2 * time.Second)
	got := s.sensible("GET", "/documents/"+id, "")
	if got.status != 200 || !strings.HasPrefix(got.body, `{"id":"`+id) || json.Valid([]byte(got.body)) {
		t.Errorf("poll = %d %s, want 200 and half an object", got.status, got.body)
	}
}

// TestSlowAnswer: it comes late, and holds up neither the end of the server nor
// that of the client.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{Faults: faults(t, "list:slow:300ms=1")})
	began := time.Now()
	got := s.typless("GET", "/awaiting-poll", "")
	if took := time.Since(began); got.status != 200 || took < 300*time.Millisecond {
		t.Errorf("%d after %s, want 200 after 300ms", got.status, took)
	}

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	box := sandbox.New(sandbox.Config{Faults: faults(t, "*:slow:1h=1")})
	served := make(chan error, 1)
	go func() { served <- box.Serve(ctx, listener) }()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /typless/api/awaiting-poll HTTP/1.1\r\nHost: h\r\nAuthorization: Token k\r\n\r\n")
	began = time.Now()
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("Serve took %s to end, want it not to wait for the answer", took)
	}
}

// TestFailuresRepeat: which documents fail and which results are gone is the same
// in every run, in whatever order they come.
func TestFailuresRepeat(t *testing.T) {
	t.Parallel()
	const n = 60
	run := func(order func(int) int) map[int]string {
		s := start(t, sandbox.Config{Seed: 3, FailureRate: 0.3, ExpireRate: 0.2})
		ids := map[int]string{}
		for i := range n {
			k := order(i)
			ids[k] = s.submitTypless(append([]byte("\xff\xd8\xff\xe0"), byte(k)), `,"document_type_name":"invoices"`)
		}
		s.pass(2 * time.Second)
		ends := map[int]string{}
		for k, id := range ids {
			ends[k], _ = s.object(s.typless("GET", "/get-extraction-data?extraction_id="+id, ""), 200)["status"].(string)
		}
		return ends
	}
	ends := run(func(i int) int { return i })
	if diff := cmp.Diff(ends, run(func(i int) int { return n - 1 - i })); diff != "" {
		t.Errorf("ends in a second run (-first +second):\n%s", diff)
	}
	count := map[string]int{}
	for _, end := range ends {
		count[end]++
	}
	if count["SUCCESS"] < n/3 || count["ERROR"] < n/10 || count["EXPIRED"] < n/20 || len(count) != 3 {
		t.Errorf("ends = %v, want about 56 %% SUCCESS, 24 %% ERROR, 20 %% EXPIRED", count)
	}
}

// TestSensibleForgets: a result that is gone is a 404, and not listed.
func TestSensibleForgets(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{ExpireRate: 1})
	id := s.submitSensible("/generate_upload_url/tax_forms", fixtures.TaxForm(1))
	if got := s.sensible("GET", "/documents/"+id, ""); got.status != 200 {
		t.Errorf("while it is processed: %d, want 200", got.status)
	}
	s.pass(2 * time.Second)
	if got := s.sensible("GET", "/documents/"+id, ""); got.status != 404 {
		t.Errorf("at its end: %d, want 404", got.status)
	}
	if got := s.sensible("GET", "/extractions", ""); !strings.Contains(got.body, `"extractions":[]`) {
		t.Errorf("list = %s, want nothing", got.body)
	}
	// What is answered at once cannot be gone.
	got := s.typless("POST", "/extract-data", `{"file":"/9j/4A==","file_name":"a.jpg","document_type_name":"x"}`)
	if got.status != 200 {
		t.Errorf("extract-data = %d %s, want 200", got.status, got.body)
	}
}

// TestClockScale: the vendor's hour passes in a minute, the second of its rate
// limit is a second.
func TestClockScale(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{ClockScale: 60, ProcessingTime: sandbox.Fixed(time.Hour), RateLimit: 2})
	id := s.submitTypless(fixtures.Invoice(1), `,"document_type_name":"invoices"`)
	for _, step := range []struct {
		pass time.Duration
		want string
	}{{59 * time.Second, "IN_PROGRESS"}, {time.Second, "SUCCESS"}, {47 * time.Minute, "SUCCESS"}, {time.Minute, "EXPIRED"}} {
		s.pass(step.pass)
		if got := s.object(s.typless("GET", "/get-extraction-data?extraction_id="+id, ""), 200)["status"]; got != step.want {
			t.Errorf("%s later: status = %v, want %s", step.pass, got, step.want)
		}
	}
	s.pass(time.Second)
	for _, want := range []int{200, 200, 429} {
		if got := s.typless("GET", "/awaiting-poll", ""); got.status != want {
			t.Errorf("status %d, want %d", got.status, want)
		}
	}
}
