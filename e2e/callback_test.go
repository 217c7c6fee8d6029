package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/extractq/extractq/internal/fixtures"
)

// producerSecret signs the callbacks of sites that have a producer.
const producerSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// producer is a service that is called back.
type producer struct {
	*httptest.Server

	mu sync.Mutex
	// answers are the statuses of the first answers; all others are 200.
	answers []int
	calls   []delivery
}

// delivery is one callback as it came.
type delivery struct {
	id     string // webhook-id
	signed bool
	event  map[string]any
}

func newProducer(t *testing.T, answers ...int) *producer {
	t.Helper()
	p := &producer{answers: answers}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // The sender has died.
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.calls = append(p.calls, delivery{r.Header.Get("webhook-id"), r.Header.Get("webhook-signature") != "", parse(t, string(body))})
		if len(p.answers) > 0 {
			w.WriteHeader(p.answers[0])
			p.answers = p.answers[1:]
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// called are the callbacks so far.
func (p *producer) called() []delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// callsBack lets the callbacks of a site reach this machine.
func (s *site) callsBack() {
	s.t.Helper()
	s.allow(`callbacks: {secret: "` + producerSecret + `", allow_hosts: [127.0.0.1]}`)
}

// callback is the callback of an extraction, as the status command shows it.
func (s *site) callback(id string) map[string]any {
	s.t.Helper()
	c, _ := s.status(id)["callback"].(map[string]any)
	return c
}

// TestSubmitRefusesInternalCallbacks: what the workers would never call is said at
// once, and which setting allows it.
func TestSubmitRefusesInternalCallbacks(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	doc := s.write("1040.pdf", string(fixtures.TaxForm(1)))
	submit := func(url string) result {
		return s.run(s.shared("submit", "--account", sensibleAccount, "--type", "tax_forms", "--callback-url", url, doc)...)
	}
	for _, url := range []string{"http://127.0.0.1:9/hook", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest", "https://10.1.2.3/"} {
		wantComplaint(t, submit(url), 2, "callbacks.allow_hosts")
	}
	wantComplaint(t, submit("ftp://example.com/"), 2, "http")
	wantComplaint(t, submit("https://user:pw-Zx81@example.com/"), 2, "credentials")
	if ids := s.listed(); len(ids) > 0 {
		t.Errorf("%q were accepted", ids)
	}
	// An address in the range for documentation: nothing is looked up, and no
	// worker runs.
	if r := submit("https://203.0.113.9/hook"); r.code != 2 {
		t.Errorf("a reserved address: exit code %d", r.code)
	}
	r := submit("https://93.184.215.14/hook").want(t, 0)
	if !strings.Contains(r.stderr, "callbacks.secret") {
		t.Errorf("without a secret it said %q", r.stderr)
	}
}

// TestRedeliver calls a producer back again, by id and by filter.
func TestRedeliver(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.callsBack()
	p := newProducer(t, http.StatusGone)
	docs := paths(s.documents("inbox", 2))
	silent := s.submit(sensibleAccount, "--batch", "monday", docs[1])[0]
	id := s.submit(sensibleAccount, "--batch", "monday", "--callback-url", p.URL, docs[0])[0]
	wantComplaint(t, s.run(s.shared("redeliver", id)...), 1, "not ended")

	s.worker()
	eventually(t, "the producer gives up", func() bool { return s.callback(id)["state"] == "failed" })
	eventually(t, "the other has ended", func() bool { return s.status(silent)["status"] == "SUCCESS" })
	wantComplaint(t, s.run(s.shared("redeliver", silent)...), 1, "no callback")
	wantComplaint(t, s.run(s.shared("redeliver", unknownID)...), 1, unknownID)
	wantComplaint(t, s.run(s.shared("redeliver", "--batch", "monday")...), 2, "--yes")

	r := s.run(s.shared("redeliver", "--batch", "monday", "--dry-run")...).want(t, 0)
	wantIDs(t, "--dry-run", []string{id}, lines(r.stdout))
	if got := s.callback(id)["state"]; got != "failed" {
		t.Errorf("--dry-run made it %v", got)
	}
	r = s.run(s.shared("redeliver", "--batch", "monday", "--yes")...).want(t, 0)
	wantIDs(t, "redeliver --batch", []string{id}, lines(r.stdout))
	if !strings.Contains(r.stderr, "1 extraction redelivered, 1 left") {
		t.Errorf("it said %q", r.stderr)
	}
	eventually(t, "it is delivered", func() bool { return s.callback(id)["state"] == "delivered" })
	if v := parse(t, s.run(s.shared("redeliver", "--json", id)...).want(t, 0).stdout); v["id"] != id {
		t.Errorf("--json printed %v", v)
	}
	eventually(t, "it is delivered again", func() bool { return len(p.called()) == 3 })
	for _, c := range p.called() {
		if data, _ := c.event["data"].(map[string]any); c.id != p.called()[0].id || !c.signed || data["id"] != id {
			t.Errorf("called with %+v", c)
		}
	}
}
