package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// apiKey is the key that the examples' API wants.
const apiKey = "ek-live-Bq64examples7Tz2"

// ulid is an extraction's id.
var ulid = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`)

// need skips a test whose program is not installed; in CI it is.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: apt-get install it", program)
	}
	t.Skipf("%s is not installed", program)
}

// showroom is an API where the programs in examples are tried.
type showroom struct {
	*site

	api string
}

func newShowroom(t *testing.T) *showroom {
	t.Helper()
	s := newSite(t, quick(0))
	s.write("extractq.yaml", `api: {keys: {billing: {secret: "`+apiKey+`"}}}
callbacks: {secret: "`+producerSecret+`", allow_hosts: [127.0.0.1]}
`)
	up := s.start("up", "--provider", "sandbox", "--processing-time", "1s", "--listen", "127.0.0.1:0")
	return &showroom{s, up.saysWhere()}
}

// try starts a program of the examples, whose API is at server.
func (s *showroom) try(server string, line ...string) *process {
	s.t.Helper()
	need(s.t, line[0])
	cmd := exec.CommandContext(s.t.Context(), line[0], line[1:]...)
	cmd.Dir = root
	cmd.Env = append(slices.Clone(s.env), "EXTRACTQ_SERVER="+server, "EXTRACTQ_API_KEY="+apiKey,
		"EXTRACTQ_CALLBACK_SECRET="+producerSecret, "PYTHONDONTWRITEBYTECODE=1")
	return launch(s.t, cmd)
}

// ask makes a call of the API.
func (s *showroom) ask(method, path string, body []byte) map[string]any {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.api+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+apiKey)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %q, %v", method, path, answer.Status, text, err)
	}
	return parse(s.t, string(text))
}

// busyProxy is an API that is too busy for the first submission, and breaks the
// first stream of events after the first event. streams counts the streams.
func (s *showroom) busyProxy() (base string, streams *atomic.Int64) {
	s.t.Helper()
	target, err := url.Parse(s.api)
	if err != nil {
		s.t.Fatal(err)
	}
	streams = new(atomic.Int64)
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ModifyResponse: func(r *http.Response) error {
			if r.Header.Get("Content-Type") == "text/event-stream" && streams.Add(1) == 1 {
				r.Body = &brokenStream{ReadCloser: r.Body}
			}
			return nil
		},
	}
	var submissions atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { _ = recover() }() // How the proxy ends a broken stream; the listener just sees its end.
		if r.URL.Path == "/v1/extractions" && r.Method == http.MethodPost && submissions.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"code":"unavailable"}`, http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	s.t.Cleanup(server.CloseClientConnections)
	return server.URL, streams
}

// brokenStream ends after the first event.
type brokenStream struct {
	io.ReadCloser

	seen bool
}

func (b *brokenStream) Read(p []byte) (int, error) {
	if b.seen {
		return 0, errors.New("broken")
	}
	n, err := b.ReadCloser.Read(p)
	b.seen = bytes.Contains(p[:n], []byte("data: "))
	return n, err
}

// buildExample builds a Go program of the examples.
func buildExample(t *testing.T, folder string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), filepath.Base(folder))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+folder)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", folder, err, out)
	}
	return binary
}

// TestExamplesSubmit: each language gets the result, and the same command again
// gives the same extraction.
func TestExamplesSubmit(t *testing.T) {
	t.Parallel()
	s := newShowroom(t)
	for name, program := range map[string][]string{
		"bash": {"bash", "examples/bash/submit.sh"}, "python": {"python3", "examples/python/submit.py"},
		"javascript": {"node", "examples/javascript/submit.mjs"}, "go": {buildExample(t, "examples/go/submit")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &showroom{&site{t: t, dir: t.TempDir(), env: s.env}, s.api}
			api, _ := s.busyProxy()
			line := append(program, "type-of-"+name, "examples/tax_form.pdf")
			first := s.try(api, line...).wait().want(t, 0)
			if result := parse(t, first.stdout); result["fields"] == nil || result["raw"] == nil {
				t.Errorf("the result is %v", result)
			}
			id := ulid.FindString(first.stderr)
			if id == "" || s.ask(http.MethodGet, "/v1/extractions/"+id, nil)["type"] != "type-of-"+name {
				t.Errorf("it submitted %q", first.stderr)
			}
			again := s.try(s.api, line...).wait().want(t, 0)
			if again.stdout != first.stdout || ulid.FindString(again.stderr) != id {
				t.Errorf("again it said %q, want %s", again.stderr, id)
			}
			broken := s.write(name+".pdf", "%PDF-1.7\nand no more")
			for file, code := range map[string]string{"go.mod": "unsupported_document", broken: "vendor_failed"} {
				r := s.try(s.api, append(slices.Clone(line[:len(line)-1]), file)...).wait()
				if r.code == 0 || !strings.Contains(r.stderr, code) {
					t.Errorf("for %s, exit code %d and %q, want %s", file, r.code, r.stderr, code)
				}
			}
		})
	}
}

// TestExamplesFollow: nothing of a batch is missed, also where the stream breaks; and
// what has ended is acknowledged once it was seen.
func TestExamplesFollow(t *testing.T) {
	t.Parallel()
	s := newShowroom(t)
	documents, err := filepath.Glob(filepath.Join(root, "examples", "*.pdf"))
	if err != nil || len(documents) < 3 {
		t.Fatalf("%d documents in examples, %v", len(documents), err)
	}
	need(t, "curl")
	api, streams := s.busyProxy()
	watcher := s.try(api, "bash", "examples/bash/follow.sh", "monday")
	eventually(t, "the watcher listens", func() bool { return streams.Load() == 1 })
	api, _ = s.busyProxy()
	r := s.try(api, append([]string{"python3", "examples/python/follow.py", "forms", "monday"}, documents...)...).wait().want(t, 0)
	ids := ulid.FindAllString(r.stdout, -1)
	slices.Sort(ids)
	if n := strings.Count(r.stdout, "SUCCESS "); n != len(documents) || len(slices.Compact(ids)) != n {
		t.Errorf("of %d documents it printed %q", len(documents), r.stdout)
	}
	eventually(t, "the watcher has seen every end", func() bool {
		var ended []string
		for line := range strings.Lines(watcher.stdout.String()) {
			var e struct{ ID, Status string }
			if json.Unmarshal([]byte(line), &e) == nil && e.Status == "SUCCESS" {
				ended = append(ended, e.ID)
			}
		}
		slices.Sort(ended)
		return slices.Equal(slices.Compact(ended), ids)
	})
	if n := streams.Load(); n < 2 {
		t.Errorf("the watcher opened %d streams, and the first was broken", n)
	}

	reader := s.try(s.api, "node", "examples/javascript/ready.mjs")
	eventually(t, "all are read", func() bool {
		read := ulid.FindAllString(reader.stdout.String(), -1)
		slices.Sort(read)
		return slices.Equal(slices.Compact(read), ids)
	})
	eventually(t, "all are acknowledged", func() bool {
		left, ok := s.ask(http.MethodGet, "/v1/ready", nil)["extractions"].([]any)
		return ok && len(left) == 0
	})
}

// TestExamplesReceive: each receiver takes what is signed and new, and nothing else.
func TestExamplesReceive(t *testing.T) {
	t.Parallel()
	s := newShowroom(t)
	document, err := os.ReadFile(filepath.Join(root, "examples", "form.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := standardwebhooks.NewWebhook(producerSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{{"python3", "examples/python/receive.py"}, {"node", "examples/javascript/receive.mjs"}} {
		t.Run(line[0], func(t *testing.T) {
			t.Parallel()
			s := &showroom{&site{t: t, env: s.env}, s.api}
			receiver := s.try(s.api, append(line, "0")...)
			receiver.says("listening at ")
			_, base, _ := strings.Cut(strings.TrimSpace(receiver.stderr.String()), "listening at ")
			e := s.ask(http.MethodPost, "/v1/extractions?type=forms&name="+line[0]+".pdf&callback_url="+url.QueryEscape(base), document)
			id, _ := e["id"].(string)
			eventually(t, "it is called back", func() bool {
				return strings.Contains(receiver.stdout.String(), "SUCCESS "+id+" "+line[0]+".pdf")
			})

			body := []byte(`{"id":"e1","data":{"id":"x","status":"ERROR","document":{"name":"forged.pdf"}}}`)
			send := func(timestamp time.Time, signature string) int {
				t.Helper()
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base, bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("webhook-id", "e1")
				request.Header.Set("webhook-timestamp", strconv.FormatInt(timestamp.Unix(), 10))
				request.Header.Set("webhook-signature", signature)
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close()
				return answer.StatusCode
			}
			sign := func(at time.Time, body []byte) string {
				signature, err := signer.Sign("e1", at, body)
				if err != nil {
					t.Fatal(err)
				}
				return signature
			}
			now, old := time.Now(), time.Now().Add(-time.Hour)
			for what, code := range map[string]int{
				"unsigned":         send(now, ""),
				"another's":        send(now, "v1,"+strings.Repeat("A", 43)+"="),
				"nonsense":         send(now, "v1,?? v2 ,"),
				"another body's":   send(now, sign(now, []byte("{}"))),
				"an old request's": send(old, sign(old, body)),
			} {
				if code != http.StatusBadRequest {
					t.Errorf("with a signature that is %s: %d", what, code)
				}
			}
			if got := receiver.stdout.String(); strings.Contains(got, "forged.pdf") {
				t.Errorf("it printed %q", got)
			}
			// Twice, and with two signatures, as while the secret changes.
			for range 2 {
				if code := send(now, "v1,"+strings.Repeat("A", 43)+"= "+sign(now, body)); code != http.StatusNoContent {
					t.Errorf("a genuine one: %d", code)
				}
			}
			if n := strings.Count(receiver.stdout.String(), "forged.pdf"); n != 1 {
				t.Errorf("it printed %d lines of an event that came twice", n)
			}
		})
	}
}
