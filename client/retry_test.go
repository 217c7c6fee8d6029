package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script is a server that answers each request with the next of its steps, the last
// one again and again.
type script struct {
	t     *testing.T
	c     *Client
	steps []http.HandlerFunc

	mu     sync.Mutex
	keys   []string
	bodies []string
	waits  []time.Duration
}

func newScript(t *testing.T, steps ...http.HandlerFunc) *script {
	t.Helper()
	s := &script{t: t, steps: steps}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	c, err := New(Config{URL: srv.URL, Attempts: 4})
	if err != nil {
		t.Fatal(err)
	}
	c.random = func() float64 { return 1 }
	c.sleep = func(ctx context.Context, d time.Duration) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waits = append(s.waits, d)
		return context.Cause(ctx)
	}
	s.c = c
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	step := s.steps[min(len(s.keys), len(s.steps)-1)]
	s.keys = append(s.keys, r.Header.Get("Idempotency-Key"))
	s.mu.Unlock()
	step(w, r)
}

// seen are the keys of the requests so far.
func (s *script) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

// received reads the document of a submission.
func (s *script) received(r *http.Request) {
	body := ""
	if form, err := r.MultipartReader(); err == nil {
		for {
			p, err := form.NextPart()
			if err != nil {
				break
			}
			if b, _ := io.ReadAll(p); p.FormName() == "document" {
				body = string(b)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, body)
}

// refuses is a step that answers with a problem.
func refuses(status int, code, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":"no"}`, status, code)
	}
}

// breaks is a step that ends the connection without an answer.
func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// accepts is a step that accepts a document.
func (s *script) accepts(w http.ResponseWriter, r *http.Request) {
	s.received(r)
	says(`{"id":"E","status":"QUEUED"}`)(w, r)
}

// says is a step that answers with JSON.
func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

func document(text string) Submission {
	return Submission{Source: Reader(strings.NewReader(text), "x.pdf"), Fields: Fields{Type: "t"}}
}

// A submission is repeated with the same key and the whole document, as late as the
// server asks.
func TestSubmitIsRepeated(t *testing.T) {
	t.Parallel()
	var s *script
	s = newScript(t, breaks, refuses(503, CodeUnavailable, "7"), refuses(409, CodeReceiving, "1"),
		func(w http.ResponseWriter, r *http.Request) { s.accepts(w, r) })
	in := strings.NewReader("skipped%PDF")
	if _, err := in.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	e, err := s.c.Submit(t.Context(), Submission{Source: Reader(in, "x.pdf")})
	if err != nil || e.ID != "E" {
		t.Fatalf("%+v, %v", e, err)
	}
	if len(s.keys) != 4 || s.keys[0] == "" || s.keys[0] != s.keys[3] || s.keys[1] != s.keys[2] {
		t.Errorf("keys %q, want four times the same", s.keys)
	}
	if diff := cmp.Diff([]string{"%PDF"}, s.bodies); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{250 * time.Millisecond, 7 * time.Second, time.Second}, s.waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}

// What is a verdict is not repeated, and nothing is without end.
func TestRepetitionIsBounded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		step     http.HandlerFunc
		requests int
		status   int
		code     string
	}{
		{"unavailable", refuses(503, CodeUnavailable, "1"), 4, 503, CodeUnavailable},
		{"backlog", refuses(429, CodeBacklog, "1"), 4, 429, CodeBacklog},
		{"a bad gateway", refuses(502, "", ""), 4, 502, CodeNotAPI},
		{"broken", breaks, 4, 0, CodeUnreachable},
		{"too patient", refuses(503, CodeUnavailable, "3600"), 1, 503, CodeUnavailable},
		{"final", refuses(409, CodeFinal, ""), 1, 409, CodeFinal},
		{"invalid", refuses(422, CodeInvalid, "1"), 1, 422, CodeInvalid},
		{"internal", refuses(500, "internal", "1"), 1, 500, "internal"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<p>k-secret")
		}, 1, 200, CodeNotAPI},
		{"a page that is missing", http.NotFound, 1, 404, CodeNotAPI},
		{"other JSON", says(`{"ok":true}`), 1, 200, CodeNotAPI},
		{"a list", says(`[1]`), 1, 200, CodeNotAPI},
		{"no JSON", says(`{"id":` + "\x01"), 1, 200, CodeNotAPI},
		{"half an answer", says(`{"id":"E","sta`), 1, 0, CodeUnreachable},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/v1?token=k-secret", http.StatusMovedPermanently)
		}, 1, 301, CodeNotAPI},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, tc.step)
			_, err := s.c.Submit(t.Context(), document("x"))
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Status != tc.status || e.Code != tc.code || e.Detail == "" {
				t.Errorf("%v, want %d %s", err, tc.status, tc.code)
			}
			if ok && (e.IdempotencyKey == "" || `"`+e.IdempotencyKey+`"` != s.seen()[0]) {
				t.Errorf("key %q, sent was %q", e.IdempotencyKey, s.seen())
			}
			if err != nil && strings.Contains(err.Error(), "k-secret") {
				t.Errorf("the error repeats what was answered: %v", err)
			}
			if len(s.seen()) != tc.requests {
				t.Errorf("%d requests, want %d", len(s.seen()), tc.requests)
			}
		})
	}
}

// A document that can be read once is sent once: where the server may have some of
// it, the error is that of the attempt.
func TestReaderOfOneTime(t *testing.T) {
	t.Parallel()
	s := newScript(t, refuses(503, CodeUnavailable, ""))
	only := func() Submission {
		return Submission{Source: Reader(io.MultiReader(strings.NewReader("%PDF")), "x.pdf")}
	}
	_, err := s.c.Submit(t.Context(), only())
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != 503 || len(s.seen()) != 1 {
		t.Errorf("%v after %d requests, want one 503", err, len(s.seen()))
	}
	// It is asked for before it is sent.
	var u *script
	u = newScript(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"code":"backlog_full","detail":"no"}`)
	}, func(w http.ResponseWriter, r *http.Request) { u.accepts(w, r) })
	if _, err := u.c.Submit(t.Context(), only()); err != nil || len(u.bodies) != 1 || u.bodies[0] != "%PDF" {
		t.Errorf("%v, received %q", err, u.bodies)
	}
}

var errDisk = errors.New("the disk is broken")

// An error of the document's own reader is not the server's, and nothing is repeated.
func TestReaderFails(t *testing.T) {
	t.Parallel()
	var s *script
	s = newScript(t, func(w http.ResponseWriter, r *http.Request) { s.accepts(w, r) })
	broken := io.MultiReader(strings.NewReader("%PDF"), failing{})
	_, err := s.c.Submit(t.Context(), Submission{Source: Reader(broken, "x.pdf")})
	if !errors.Is(err, errDisk) || len(s.waits) > 0 {
		t.Errorf("%v after waits %v, want the reader's own error", err, s.waits)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errDisk }

// The end of the context is the error, also while a document gives nothing and while
// the server is waited for.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	var s *script
	s = newScript(t, func(w http.ResponseWriter, r *http.Request) { s.accepts(w, r) })
	pr, pw := io.Pipe()
	defer func() { _ = pw.Close() }()
	go func() {
		_, _ = pw.Write([]byte("%PDF"))
		cancel(why)
	}()
	if _, err := s.c.Submit(ctx, Submission{Source: Reader(pr, "x.pdf")}); !errors.Is(err, why) {
		t.Errorf("%v, want the cause", err)
	}
	u := newScript(t, refuses(503, CodeUnavailable, "60"))
	ctx, cancel = context.WithCancelCause(t.Context())
	u.c.sleep = func(context.Context, time.Duration) error {
		cancel(why)
		return context.Cause(ctx)
	}
	_, err := u.c.Get(ctx, "E")
	if e, ok := errors.AsType[*Error](err); !errors.Is(err, why) || !ok || e.Status != 503 {
		t.Errorf("%v, want the cause and what was answered before", err)
	}
}

// A server that falls silent ends no caller's patience forever: before its answer,
// in the middle of it, and while it takes a document.
func TestSilence(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	mute := func(first string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if first != "" {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, first)
				_ = http.NewResponseController(w).Flush() // The test sees it if not.
			}
			<-over // A server does not see a client go whose document it does not read.
		}
	}
	for name, step := range map[string]http.HandlerFunc{"at once": mute(""), "in the middle": mute(`{"id":"E",`)} {
		s := newScript(t, step)
		s.c.silence = 100 * time.Millisecond
		_, err := s.c.Get(t.Context(), "E")
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != 0 || e.Code != CodeUnreachable {
			t.Errorf("%s: %v, want unreachable", name, err)
		}
	}
	// It takes no byte of a document that no buffer holds.
	s := newScript(t, mute(""))
	t.Cleanup(func() { close(over) }) // Before the servers are closed.
	s.c.silence = 200 * time.Millisecond
	_, err := s.c.Submit(t.Context(), Submission{Source: Reader(io.LimitReader(zeros{}, 1<<30), "x.pdf")})
	if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(e, errSilent) {
		t.Errorf("while sending: %v, want silence", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A large document takes no memory, as a form and as JSON.
func TestDocumentIsStreamed(t *testing.T) { //nolint:paralleltest // It measures memory.
	const size = 128 << 20
	received := int64(0)
	s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		received += n
		says(`{"id":"E","status":"QUEUED"}`)(w, r)
	})
	for _, options := range []map[string]any{nil, {"n": 1}} {
		received = 0
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := s.c.Submit(t.Context(), Submission{
			Source: Reader(io.LimitReader(zeros{}, size), "x.pdf"), Fields: Fields{Options: options},
		}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 || received < size {
			t.Errorf("%d bytes of memory for %d bytes, %d received", used, size, received)
		}
	}
}

// A change whose answer was lost is not reported as refused when it is repeated.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	s := newScript(t, breaks, refuses(409, CodeFinal, ""), says(`{"id":"E","status":"CANCELED"}`))
	if e, err := s.c.Cancel(t.Context(), "E"); err != nil || e.Status != "CANCELED" {
		t.Errorf("Cancel: %+v, %v", e, err)
	}
	s = newScript(t, breaks, refuses(409, CodeFinal, ""), says(`{"id":"E","status":"SUCCESS"}`))
	if _, err := s.c.Cancel(t.Context(), "E"); !hasCode(err, CodeFinal) {
		t.Errorf("Cancel of what succeeded: %v", err)
	}
	s = newScript(t, refuses(409, CodeFinal, ""))
	if _, err := s.c.Cancel(t.Context(), "E"); !hasCode(err, CodeFinal) || len(s.seen()) != 1 {
		t.Errorf("Cancel of what was canceled before: %v", err)
	}
	s = newScript(t, breaks, refuses(409, CodeConflict, ""), says(`{"id":"E","status":"ERROR","retried_by":"F"}`), says(`{"id":"F","status":"QUEUED"}`))
	if e, err := s.c.Retry(t.Context(), "E", false); err != nil || e.ID != "F" {
		t.Errorf("Retry: %+v, %v", e, err)
	}
	s = newScript(t, breaks, refuses(409, CodeConflict, ""), says(`{"id":"E","status":"SUCCESS"}`))
	if e, err := s.c.Retry(t.Context(), "E", false); err != nil || e.ID != "E" {
		t.Errorf("Retry of a result that has been fetched meanwhile: %+v, %v", e, err)
	}
	s = newScript(t, breaks, refuses(409, CodeConflict, ""), says(`{"id":"E","status":"SUCCESS","error":{"code":"result_unavailable"}}`))
	if _, err := s.c.Retry(t.Context(), "E", false); !hasCode(err, CodeConflict) {
		t.Errorf("Retry that was refused: %v", err)
	}
}

// Wait asks again until the extraction is final, and not without pause where the
// server holds nothing.
func TestWait(t *testing.T) {
	t.Parallel()
	queued, done := says(`{"id":"E","status":"QUEUED"}`), says(`{"id":"E","status":"SUCCESS"}`)
	fetching := says(`{"id":"E","status":"SUCCESS","next":{"step":"poll"}}`)
	s := newScript(t, queued, refuses(503, CodeUnavailable, "1"), says(`{"id":"E","status":"NEW_ONE"}`), fetching, done)
	if e, err := s.c.Wait(t.Context(), "E"); err != nil || e.Status != "SUCCESS" {
		t.Errorf("%+v, %v", e, err)
	}
	if len(s.seen()) != 5 || len(s.waits) != 4 || s.waits[0] <= 0 || s.waits[0] > soonest {
		t.Errorf("%d requests, waits %v", len(s.seen()), s.waits)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://u:p@x", "http://x?a=b", "http://x#y", "http://x:y:z"} {
		if _, err := New(Config{URL: u}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("URL %q: %v", u, err)
		}
	}
	if _, err := New(Config{URL: "http://x", Key: "a\nb"}); err == nil {
		t.Error("a key with a line feed was taken")
	}
	for _, u := range []string{"http://x/p", "http://x/p/", "http://x/p/v1", "http://x/p/v1/"} {
		c, err := New(Config{URL: u})
		if err != nil || c.base != "http://x/p" {
			t.Errorf("URL %q: %v, %v", u, c, err)
		}
	}
}

// The first event after a break is asked for from where the last one was, and half
// an event is none.
func TestEventsAreTakenUp(t *testing.T) {
	t.Parallel()
	var after []string
	stream := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			after = append(after, r.Header.Get("Last-Event-ID"))
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, body)
		}
	}
	event := func(id, status string) string {
		return "id: " + id + "\nevent: extraction.updated\ndata: {\"id\":\"E\",\ndata: \"status\":\"" + status + "\"}\n\n"
	}
	s := newScript(t,
		stream(": listening\nid: 0\n\n"), breaks,
		stream(": \n\n"+event("1", "QUEUED")+"id: 2\nevent: extraction.updated\ndata: {\"id\":\"E"),
		refuses(503, CodeUnavailable, "1"),
		stream("event: server.stopping\ndata: {}\n\n"),
		stream(event("2", "SUBMITTING")+"event: of.tomorrow\ndata: 1\n\n"+event("3", "SUCCESS")),
	)
	var got []string
	for e, err := range s.c.Events(t.Context(), EventFilter{Extraction: "E"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.ID+" "+string(e.Extraction.Status))
	}
	if diff := cmp.Diff([]string{"1 QUEUED", "2 SUBMITTING", "3 SUCCESS"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", "0", "1", "1"}, after); diff != "" {
		t.Errorf("asked for after (-want +got):\n%s", diff)
	}
	// One that accepts nothing is not asked forever.
	s = newScript(t, stream(": listening\n\n"))
	for _, err := range s.c.Events(t.Context(), EventFilter{Batch: "b"}) {
		if !hasCode(err, CodeUnreachable) || len(s.seen()) != 4 {
			t.Errorf("%v after %d connections", err, len(s.seen()))
		}
	}
	// Nothing is behind the final event.
	s = newScript(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for e, err := range s.c.Events(t.Context(), EventFilter{Extraction: "E", After: "3"}) {
		t.Errorf("%+v, %v", e, err)
	}
	// A page is no stream, and what is in it is not shown.
	s = newScript(t, says(`"k-secret"`))
	for _, err := range s.c.Events(t.Context(), EventFilter{}) {
		if !hasCode(err, CodeNotAPI) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}

func TestEncoded(t *testing.T) {
	t.Parallel()
	b, err := io.ReadAll(newEncoded(bytes.NewReader([]byte("ab"))))
	if err != nil || string(b) != "YWI=" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := io.ReadAll(newEncoded(io.MultiReader(strings.NewReader("abc"), failing{}))); !errors.Is(err, errDisk) {
		t.Errorf("%v, want the reader's error", err)
	}
}
