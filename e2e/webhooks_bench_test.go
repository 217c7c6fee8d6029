package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
)

// TestWebhookToCallback takes 50 documents a second through a vendor that calls when
// it has finished, and prints how long after the vendor's webhook the producer was
// called back. EXTRACTQ_BENCH_WEBHOOKS is how many documents: make bench-webhooks.
func TestWebhookToCallback(t *testing.T) {
	t.Parallel()
	n, err := strconv.Atoi(os.Getenv("EXTRACTQ_BENCH_WEBHOOKS"))
	if err != nil {
		n = 40
	}
	finished := newMoments(func(body []byte) string {
		var hook struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(body, &hook)
		return hook.ID
	})
	known := newMoments(func(body []byte) string {
		var event struct {
			Data struct {
				Status string `json:"status"`
				Vendor struct {
					ID string `json:"id"`
				} `json:"vendor"`
			} `json:"data"`
		}
		if err := json.Unmarshal(body, &event); err != nil || event.Data.Status != "SUCCESS" {
			t.Errorf("called back with %s, %v", tail(string(body)), err)
		}
		return event.Data.Vendor.ID
	})
	relay := newRelay(t, finished.note)
	producer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			known.note(body)
		}
	}))
	t.Cleanup(producer.Close)

	s := newSite(t, quick(3*time.Second))
	s.callsBack()
	s.write("extractq.yaml", strings.ReplaceAll(s.read("extractq.yaml"), `    rate: "50/s"`,
		"    rate: \"1000/s\"\n    poll_price: 1h\n    hook_token: \"${E2E_HOOK_TOKEN}\"")+fmt.Sprintf("api: {public_url: %q}\n", relay.URL))
	s.worker()
	address := s.start(s.shared("api", "--listen", "127.0.0.1:0")...).saysAPI()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	relay.to.Store(target)

	submit := address + "/v1/extractions?account=" + sensibleAccount + "&type=tax_forms&callback_url=" + url.QueryEscape(producer.URL)
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	began := time.Now()
	for i := range n {
		<-tick.C
		if e, code := postDocument(t, submit, fixtures.Form(i)); code != http.StatusAccepted {
			t.Fatalf("document %d: %d %v", i, code, e)
		}
	}
	rate := float64(n) / time.Since(began).Seconds()
	eventually(t, "all are called back", func() bool { return len(known.all()) == n })

	var took []time.Duration
	hooks := finished.all()
	for id, at := range known.all() {
		from, ok := hooks[id]
		if !ok {
			t.Errorf("%s was known without its webhook", id)
		}
		took = append(took, at.Sub(from))
	}
	slices.Sort(took)
	at := func(q float64) time.Duration {
		return took[int(math.Ceil(q*float64(len(took))))-1].Round(time.Millisecond)
	}
	t.Logf("%d documents, %.0f a second, webhook to callback: median %v, p95 %v, p99 %v, most %v; %d questions", n, rate, at(.5), at(.95), at(.99), at(1), s.vendor.asked(opPoll))
}

// moments are the times at which something was first heard of ids.
type moments struct {
	id func(body []byte) string

	mu sync.Mutex
	at map[string]time.Time
}

func newMoments(id func(body []byte) string) *moments {
	return &moments{id: id, at: map[string]time.Time{}}
}

func (m *moments) note(body []byte) {
	now, id := time.Now(), m.id(body)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.at[id]; !ok {
		m.at[id] = now
	}
}

func (m *moments) all() map[string]time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.at)
}
