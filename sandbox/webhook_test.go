package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

// receiver takes webhooks.
type receiver struct {
	*testing.T
	URL      string
	received chan string
}

func newReceiver(t *testing.T) receiver {
	t.Helper()
	r := receiver{t, "", make(chan string, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("webhook is %s of %s, want POST of JSON", req.Method, req.Header.Get("Content-Type"))
		}
		r.received <- string(body)
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

// next is the next webhook's object.
func (r receiver) next() map[string]any {
	r.Helper()
	select {
	case body := <-r.received:
		var v map[string]any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			r.Fatalf("webhook is no JSON: %v: %s", err, body)
		}
		return v
	case <-time.After(20 * time.Second):
		r.Fatal("no webhook came")
		return nil
	}
}

// TestSensibleWebhook: it comes when the extraction is final and not before, with
// what a poll says, for success and failure.
func TestSensibleWebhook(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s := start(t, sandbox.Config{})
	submit := func(path, more string) map[string]any {
		return s.object(s.sensible("POST", path, `{"webhook":{"url":"`+r.URL+`","payload":{"n":[1]}}`+more+`}`), 200)
	}
	receipt := submit("/generate_upload_url/tax_forms", "")
	s.call("PUT", receipt["upload_url"].(string), fixtures.TaxForm(1))
	s.pass(1999 * time.Millisecond)
	select {
	case body := <-r.received:
		t.Fatalf("webhook before the end: %s", body)
	case <-time.After(150 * time.Millisecond): // three naps of the sender
	}
	s.pass(time.Millisecond)
	got := r.next()
	want := s.object(s.sensible("GET", "/documents/"+receipt["id"].(string), ""), 200)
	if want["status"] != "COMPLETE" || want["download_url"] == nil {
		t.Errorf("poll = %v, want COMPLETE with a download_url", want)
	}
	delete(want, "download_url") // signed anew each time
	delete(got, "download_url")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("webhook (-as polled +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"url": r.URL, "payload": map[string]any{"n": []any{1.0}}}, got["webhook"]); diff != "" {
		t.Errorf("echo of the webhook (-want +got):\n%s", diff)
	}

	// A document that cannot be downloaded has failed at once.
	receipt = submit("/extract_from_url/tax_forms", `,"document_url":"`+s.URL+`/nothing"`)
	if got := r.next(); got["status"] != "FAILED" || got["id"] != receipt["id"] {
		t.Errorf("webhook = %v, want FAILED of %v", got, receipt["id"])
	}
	if a := s.sensible("POST", "/generate_upload_url/a", `{"webhook":{"url":"ftp://h"}}`); a.status != 400 {
		t.Errorf("a webhook to FTP = %d %s, want 400", a.status, a.body)
	}
}

// TestTyplessWebhook: it says which extraction has ended and not how.
func TestTyplessWebhook(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s := start(t, sandbox.Config{TyplessWebhook: r.URL})
	s.typless("POST", "/extract-data", `{"file":"/9j/4A==","file_name":"a.jpg","document_type_name":"x"}`) // no call
	for _, document := range [][]byte{fixtures.Invoice(1), []byte("no document")} {
		id := s.submitTypless(document, `,"document_type_name":"invoices"`)
		s.pass(2 * time.Second)
		got := r.next()
		if event, _ := got["event_id"].(string); !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(event) {
			t.Errorf("event_id = %q, want 40 digits", event)
		}
		if at, _ := got["event_time"].(string); !regexp.MustCompile(`^2026-03-01T12:00:0\d\.000000$`).MatchString(at) {
			t.Errorf("event_time = %q, want one without a zone", at)
		}
		delete(got, "event_id")
		delete(got, "event_time")
		want := map[string]any{"type": "extraction.finished", "data": map[string]any{"id": id, "message": "Extraction process finished"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("webhook (-want +got):\n%s", diff)
		}
	}
}

// TestWebhooksLostAndDoubled counts what comes.
func TestWebhooksLostAndDoubled(t *testing.T) {
	t.Parallel()
	const n = 200
	counts := func(cfg sandbox.Config) (once, twice int) {
		r := newReceiver(t)
		cfg.TyplessWebhook, cfg.Seed = r.URL, 5
		s := start(t, cfg)
		for i := range n {
			s.submitTypless([]byte{0xff, 0xd8, 0xff, 0xe0, byte(i)}, `,"document_type_name":"x"`)
		}
		s.pass(2 * time.Second)
		seen := map[string]int{}
		quiet := time.NewTimer(2 * time.Second)
		for {
			select {
			case body := <-r.received:
				var e struct {
					ID string `json:"event_id"`
				}
				_ = json.Unmarshal([]byte(body), &e)
				seen[e.ID]++
				quiet.Reset(2 * time.Second)
				continue
			case <-quiet.C:
			}
			break
		}
		for _, times := range seen {
			switch times {
			case 1:
				once++
			case 2:
				twice++
			default:
				t.Errorf("a webhook came %d times", times)
			}
		}
		return once, twice
	}
	if once, twice := counts(sandbox.Config{WebhookLoss: 1, WebhookDuplicates: 1}); once+twice != 0 {
		t.Errorf("%d came once and %d twice, want all lost", once, twice)
	}
	once, twice := counts(sandbox.Config{WebhookLoss: 0.2, WebhookDuplicates: 0.5})
	if lost := n - once - twice; lost < n/10 || lost > n*3/10 || twice < n*3/10 || twice > n/2 {
		t.Errorf("%d lost, %d once, %d twice of %d, want about 20, 40 and 40 %%", lost, once, twice, n)
	}
	again, twiceAgain := counts(sandbox.Config{WebhookLoss: 0.2, WebhookDuplicates: 0.5})
	if once != again || twice != twiceAgain {
		t.Errorf("a second run has %d once and %d twice, the first had %d and %d", again, twiceAgain, once, twice)
	}
}

// TestCloseGivesUpWebhooks: neither one that is not due nor one whose receiver
// does not answer holds up the end.
func TestCloseGivesUpWebhooks(t *testing.T) {
	t.Parallel()
	called := make(chan struct{}, 1)
	hang := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		called <- struct{}{}
		<-hang
	}))
	defer receiver.Close()
	defer close(hang)
	box := sandbox.New(sandbox.Config{TyplessWebhook: receiver.URL})
	api := httptest.NewServer(box.Handler())
	defer api.Close()
	s := server{t, nil, api.URL}
	s.submitTypless([]byte("no document"), `,"document_type_name":"x"`)
	select {
	case <-called:
	case <-time.After(20 * time.Second):
		t.Fatal("no webhook came")
	}
	closed := make(chan struct{})
	go func() { box.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("Close waits for a receiver that does not answer")
	}
	s.submitTypless([]byte("no document"), `,"document_type_name":"x"`) // and there are no more calls
}
