package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAPIIsKilled posts documents by 64 producers at once while the process that
// takes and processes them is killed and started again. A producer that gets an
// error, or no answer, sends the same again with the same Idempotency-Key. In the
// end there is one extraction for each document, each is final, and the vendor has
// taken each document once.
//
// EXTRACTQ_CHAOS_DOCUMENTS makes it as large as it should be for figures: make
// chaos-api.
func TestAPIIsKilled(t *testing.T) {
	t.Parallel()
	n, kills := 150, 1
	if text := os.Getenv("EXTRACTQ_CHAOS_DOCUMENTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		kills = 3
	}
	c := newChaos(t, n)
	began := time.Now()
	var posting sync.WaitGroup
	todo := make(chan int, n)
	for i := range n {
		todo <- i
	}
	close(todo)
	for range 64 {
		posting.Go(func() {
			for i := range todo {
				c.ids[i] = c.post(t.Context(), i)
			}
		})
	}
	for k := range kills {
		// In the middle of what is posted, with the earlier ones at the vendor.
		at := int64(n * (k + 1) / (kills + 1))
		eventuallyFor(t, 10*time.Minute, fmt.Sprintf("%d documents are accepted", at), func() bool { return c.accepted.Load() >= at })
		c.up.kill()
		c.start()
	}
	posting.Wait()
	t.Logf("%d documents of %d KB accepted in %v, %d kills; answers that were no 202 or 200: %v",
		n, chaosBytes>>10, time.Since(began).Round(100*time.Millisecond), kills, c.failures())
	if len(c.failures()) == 0 {
		t.Error("no producer was disturbed: the test shows nothing")
	}
	c.wantAllFinal()
	t.Logf("all final %v after the first was posted", time.Since(began).Round(100*time.Millisecond))
	c.wantOneEach()
}

// chaosBytes is the size of a document.
const chaosBytes = 50_000

// chaos is a service that is killed again and again, and its producers.
type chaos struct {
	t       *testing.T
	site    *site
	base    string
	up      *process
	client  *http.Client
	docs    []document
	account []string

	ids      []string
	accepted atomic.Int64

	mu    sync.Mutex
	wrong map[string]int
}

// newChaos is a running service and n documents for it.
func newChaos(t *testing.T, n int) *chaos {
	t.Helper()
	c := prepareChaos(t, n)
	c.start()
	return c
}

// prepareChaos is newChaos without a service.
func prepareChaos(t *testing.T, n int) *chaos {
	t.Helper()
	c := &chaos{
		t: t, site: newSite(t, quick(time.Second)), ids: make([]string, n), wrong: map[string]int{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 2 * time.Minute},
	}
	t.Cleanup(c.client.CloseIdleConnections)
	c.site.durable()
	c.site.write("extractq.yaml", fmt.Sprintf(`accounts:
  %s: {provider: sensible, api_key: k, base_url: "%s/sensible/v0", rate: "1000/s", max_in_flight: 2000}
  %s: {provider: typless, api_key: k, base_url: "%s/typless/api", rate: "1000/s", max_in_flight: 2000}
`, sensibleAccount, c.site.vendor.URL, typlessAccount, c.site.vendor.URL))
	for i := range n {
		body := c.document(i)
		c.docs = append(c.docs, document{name: fmt.Sprintf("%d.png", i), sha256: digest(body), bytes: len(body)})
		account := sensibleAccount
		if os.Getenv("EXTRACTQ_CHAOS_DOCUMENTS") != "" && i%2 == 1 {
			// Whether one of these has arrived that was on its way when the process was
			// killed takes more than a minute to find out.
			account = typlessAccount
		}
		c.account = append(c.account, account)
	}
	c.base = "http://" + freeAddress(t)
	return c
}

// start starts the service, at the same address each time.
func (c *chaos) start() {
	c.t.Helper()
	c.up = c.site.start(c.site.shared("up", "--listen", c.base[len("http://"):])...)
	c.up.saysWhere()
}

// document is the bytes of a document: a picture, as far as the checks go.
func (c *chaos) document(i int) []byte {
	body := make([]byte, chaosBytes)
	source := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	_, _ = source.Read(body) // It always fills it.
	copy(body, "\x89PNG\r\n\x1a\n")
	return body
}

// post sends a document until it is accepted, and returns its id.
func (c *chaos) post(ctx context.Context, i int) string {
	deadline := time.Now().Add(10 * time.Minute)
	for time.Now().Before(deadline) {
		id, again, err := c.try(ctx, i)
		if err == nil {
			c.accepted.Add(1)
			return id
		}
		c.mu.Lock()
		c.wrong[err.Error()]++
		c.mu.Unlock()
		wait := time.NewTimer(again + rand.N(200*time.Millisecond))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ""
		}
	}
	c.t.Errorf("%s was never accepted", c.docs[i].name)
	return ""
}

// try sends a document once; an error comes with the time after which it may be sent
// again.
func (c *chaos) try(ctx context.Context, i int) (id string, again time.Duration, err error) {
	q := url.Values{"account": {c.account[i]}, "type": {"tax_forms"}, "batch": {"chaos"}, "name": {c.docs[i].name}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/extractions?"+q.Encode(), bytes.NewReader(c.document(i)))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "image/png")
	req.Header.Set("Idempotency-Key", fmt.Sprint("doc-", i))
	res, err := c.client.Do(req)
	if err != nil {
		return "", 20 * time.Millisecond, errors.New("no answer")
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", 20 * time.Millisecond, errors.New("half an answer")
	}
	switch res.StatusCode {
	case http.StatusAccepted, http.StatusOK:
	case http.StatusConflict, http.StatusServiceUnavailable:
		seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if err != nil {
			c.t.Errorf("%s without Retry-After: %s", res.Status, body)
		}
		return "", time.Duration(seconds) * time.Second, errors.New(res.Status)
	default:
		c.t.Errorf("%s: %s", res.Status, body)
		return "", 20 * time.Millisecond, errors.New(res.Status)
	}
	var e struct{ ID string }
	if err := json.Unmarshal(body, &e); err != nil || e.ID == "" {
		return "", 0, fmt.Errorf("an answer that is none: %w", err)
	}
	return e.ID, 0, nil
}

func (c *chaos) failures() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong
}

// wantAllFinal waits until every accepted extraction is final.
func (c *chaos) wantAllFinal() {
	c.t.Helper()
	counts := map[string]any{}
	eventuallyFor(c.t, 10*time.Minute, "everything is final", func() bool {
		b := parse(c.t, get(c.t, c.base+"/v1/batches/chaos"))
		counts, _ = b["counts"].(map[string]any)
		return fmt.Sprint(b["percent"]) == "100"
	})
	c.t.Logf("statuses: %v", counts)
}

// wantOneEach fails the test unless there is one extraction for each document, with
// the id that its producer was told, and the vendor has taken each document once.
func (c *chaos) wantOneEach() {
	c.t.Helper()
	status, code := map[string]string{}, map[string]string{}
	q := url.Values{"limit": {"1000"}}
	for {
		page := parse(c.t, get(c.t, c.base+"/v1/extractions?"+q.Encode()))
		all, _ := page["extractions"].([]any)
		for _, each := range all {
			e, _ := each.(map[string]any)
			id, _ := e["id"].(string)
			status[id], _ = e["status"].(string)
			if failure, ok := e["error"].(map[string]any); ok {
				code[id], _ = failure["code"].(string)
			}
		}
		next, more := page["next_cursor"].(string)
		if !more {
			break
		}
		q.Set("cursor", next)
	}
	if len(status) != len(c.docs) {
		c.t.Errorf("there are %d extractions of %d documents", len(status), len(c.docs))
	}
	taken, seen, uncertain := c.site.vendor.takenBy(), map[string]bool{}, 0
	for i, d := range c.docs {
		id, times := c.ids[i], len(taken[d.sha256])
		if seen[id] {
			c.t.Errorf("%s has the id of another document, %q", d.name, id)
		}
		seen[id] = true
		switch {
		case status[id] == "SUCCESS" && times == 1:
		case c.account[i] == typlessAccount && code[id] == "submit_uncertain" && times <= 1:
			uncertain++ // The process was killed while its bytes were on their way.
		default:
			c.t.Errorf("%s is %s (%s), and the vendor has taken it %d times", d.name, status[id], code[id], times)
		}
		delete(taken, d.sha256)
	}
	if len(taken) > 0 {
		c.t.Errorf("the vendor has taken %d documents that were never submitted", len(taken))
	}
	c.t.Logf("%d extractions, %d of them ended as submit_uncertain", len(status), uncertain)
	for i := 0; i < len(c.docs); i += max(1, len(c.docs)/20) {
		if id, _, err := c.try(c.t.Context(), i); err != nil || id != c.ids[i] {
			c.t.Errorf("%s sent again is %q, %v; want %q", c.docs[i].name, id, err, c.ids[i])
		}
	}
}
