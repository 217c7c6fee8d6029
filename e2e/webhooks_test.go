package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// relay is the reverse proxy before the API: the vendor knows its address before
// there is an API, and it passes the outside world's name for it on.
type relay struct {
	*httptest.Server

	to     atomic.Pointer[url.URL]
	hooks  atomic.Int64 // Webhooks that were taken.
	failed atomic.Int64 // And that were not.
}

// newRelay runs a relay; seen, if it is not nil, is called for each webhook before it
// is passed on.
func newRelay(t testing.TB, seen func(body []byte)) *relay {
	t.Helper()
	r := &relay{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(r.to.Load())
			p.Out.Host = "extractq.example.com"
			if seen == nil {
				return
			}
			body, _ := io.ReadAll(p.In.Body) // What is cut is no webhook.
			seen(body)
			p.Out.Body = io.NopCloser(bytes.NewReader(body))
		},
		ModifyResponse: func(res *http.Response) error {
			if res.StatusCode == http.StatusNoContent {
				r.hooks.Add(1)
			} else {
				r.failed.Add(1)
			}
			return nil
		},
	}
	r.Server = httptest.NewServer(proxy)
	t.Cleanup(r.Close)
	return r
}

// TestWebhooks takes a document through everything: it is submitted over HTTP, the
// vendor finishes and calls, it is asked at once, and the producer is called back.
// The plan alone would have asked minutes later.
func TestWebhooks(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		relay := newRelay(t, nil)
		cfg := quick(3 * time.Second)
		cfg.sandbox.TyplessWebhook = relay.URL + "/v1/hooks/" + typlessAccount + "/" + hookToken
		cfg.sandbox.WebhookDuplicates = 1
		s := newSite(t, cfg)
		producer := newProducer(t)
		s.callsBack()
		config := strings.ReplaceAll(s.read("extractq.yaml"), `    rate: "50/s"`,
			"    rate: \"50/s\"\n    poll_price: 1h\n    hook_token: \"${E2E_HOOK_TOKEN}\"")
		s.write("extractq.yaml", config+fmt.Sprintf("api: {public_url: %q}\n", relay.URL))
		// The vendor repeats what it was sent, with the webhook in it.
		opening := d.takes
		if opening == opPut {
			opening = opOpen
		}
		s.vendor.on(opening, first(1), func(x *exchange) {
			x.receive()
			x.refuse(http.StatusServiceUnavailable, string(x.raw))
		})

		processes := []*process{
			s.start(s.shared("api", "--listen", "127.0.0.1:0", "--log-level", "debug")...), s.scheduler(), s.worker("--log-level", "debug"),
		}
		processes[0].says("api at ")
		address, _, _ := strings.Cut(strings.SplitAfter(processes[0].stderr.String(), "api at ")[1], "/v1")
		target, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		relay.to.Store(target)

		doc := s.documents("inbox", 1)[0]
		body, err := os.ReadFile(doc.path)
		if err != nil {
			t.Fatal(err)
		}
		e, code := postDocument(t, address+"/v1/extractions?account="+d.account+"&type=tax_forms&callback_url="+url.QueryEscape(producer.URL), body)
		id, _ := e["id"].(string)
		if code != http.StatusAccepted || id == "" {
			t.Fatalf("%d %v", code, e)
		}
		eventually(t, "the producer is called back", func() bool { return len(producer.called()) > 0 })

		event := producer.called()[0]
		data, _ := event.event["data"].(map[string]any)
		if !event.signed || data["id"] != id || data["status"] != "SUCCESS" {
			t.Errorf("called back with %v", event)
		}
		if polls := fmt.Sprint(data["polls"]); polls != "1" {
			t.Errorf("%s polls, want the one after the webhook", polls)
		}
		said := fmt.Sprint(data["result"])
		if strings.Contains(said, "hooks/") || strings.Contains(said, "payload") || !strings.Contains(said, "raw") {
			t.Errorf("the result repeats our webhook, or lacks the raw answer: %s", tail(said))
		}
		processes[2].says("hooked=true")
		eventually(t, "the second of the webhooks has come", func() bool { return relay.hooks.Load() == 2 })
		if n := relay.failed.Load(); n > 0 {
			t.Errorf("%d webhooks were refused", n)
		}
		s.vendor.wantOnce(t, []document{doc})
		if n := s.vendor.asked(opPoll); n != 1 {
			t.Errorf("the vendor was asked %d times, want once", n)
		}
		s.wantNoSecretInRedis()
		s.wantNoSecretBelow(s.path("data"))
		for _, p := range processes {
			s.wantNoSecret("a log", p.stderr.String())
		}
	})
}
