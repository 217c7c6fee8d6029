package e2e

import (
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// takenBehindGateway answers as a gateway that has lost its server does, although the
// server has taken the document.
func takenBehindGateway(status func() int) func(*exchange) {
	return func(x *exchange) {
		x.serve()
		x.w.Header().Set("Content-Type", "text/html")
		x.w.WriteHeader(status())
		_, _ = x.w.Write([]byte("<html><h1>the upstream server is away</h1></html>"))
	}
}

// TestGatewayFailsAfterTheDocument sends 200 documents to a Typless whose gateway answers
// three in ten with 502, 504 or 500 after the vendor has taken the document: none is paid
// twice, and one that the vendor's list does not show says that it was looked for.
func TestGatewayFailsAfterTheDocument(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(time.Second))
	docs := s.documents("inbox", 200)
	random, failed := rand.New(rand.NewPCG(3, 4)), 0
	s.vendor.on(opSubmit, func(int) bool {
		fails := random.Float64() < 0.3
		if fails {
			failed++
		}
		return fails
	}, takenBehindGateway(func() int {
		return []int{http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusInternalServerError}[rand.N(3)]
	}))
	s.worker()
	s.submit(typlessAccount, s.path("inbox"))
	ended := s.ended(5*time.Minute, len(docs))
	s.vendor.wantOnce(t, docs)
	for _, e := range ended["ERROR submit_uncertain"] {
		if trouble, _ := e["last_error"].(map[string]any); trouble == nil || !strings.Contains(trouble["message"].(string), "until") {
			t.Errorf("%v is uncertain and says %v, want that it was looked for", e["id"], trouble)
		}
	}
	found, uncertain := len(ended["SUCCESS"]), len(ended["ERROR submit_uncertain"])
	t.Logf("%d of %d answers failed: %d documents SUCCESS, %d submit_uncertain, %d requests for the list",
		failed, s.vendor.asked(opSubmit), found, uncertain, s.vendor.asked(opReady))
	if failed < 30 || found+uncertain != len(docs) {
		t.Errorf("%d answers failed, %d of %d documents ended as they may", failed, found+uncertain, len(docs))
	}
}

// ended waits until n extractions are final, and returns them by status and code.
func (s *site) ended(patience time.Duration, n int) map[string][]map[string]any {
	s.t.Helper()
	var by map[string][]map[string]any
	looked := time.Time{}
	eventuallyFor(s.t, patience, "all are final", func() bool {
		if time.Since(looked) < time.Second {
			return false
		}
		final := 0
		by = map[string][]map[string]any{}
		for _, line := range lines(s.run(s.shared("list", "--json")...).want(s.t, 0).stdout) {
			e := parse(s.t, line)
			key, _ := e["status"].(string)
			if key == "SUCCESS" || key == "ERROR" || key == "EXPIRED" || key == "CANCELED" {
				final++
			}
			if failure, ok := e["error"].(map[string]any); ok {
				key += " " + failure["code"].(string)
			}
			by[key] = append(by[key], e)
		}
		looked = time.Now()
		return final >= n
	})
	return by
}

// TestVendorTakesNoSubmission sends 200 documents to a Typless that answers everything but
// takes no document and says 500. A few are sent, and one after each probe; all the others
// stay QUEUED and succeed when it is over. EXTRACTQ_OUTAGE is how long that takes: make
// outage.
func TestVendorTakesNoSubmission(t *testing.T) {
	t.Parallel()
	const concurrency = 8
	outage, err := time.ParseDuration(os.Getenv("EXTRACTQ_OUTAGE"))
	short := err != nil
	if short {
		outage = 10 * time.Second
	}
	s := newSite(t, siteConfig{sandbox: quick(time.Second).sandbox, concurrency: concurrency})
	docs := s.documents("inbox", 200)
	healed := newGate()
	s.vendor.on(opSubmit, always, func(x *exchange) {
		if healed.isOpen() {
			x.normal()
			return
		}
		x.refuse(http.StatusInternalServerError, `{"message":"internal error"}`)
	})
	s.worker()
	s.submit(typlessAccount, s.path("inbox"))
	eventually(t, "the vendor fails", func() bool { return s.vendor.asked(opSubmit) > 0 })
	began := time.Now()
	eventuallyFor(t, outage+time.Minute, "the outage is over", func() bool { return time.Since(began) >= outage })

	sent, probes := s.vendor.asked(opSubmit), probesWithin(time.Since(began))
	queued := len(lines(s.run(s.shared("list", "--json", "--status", "QUEUED")...).want(t, 0).stdout))
	t.Logf("in %v of 500 for every submission %d documents were sent, with %d probes; %d were QUEUED at its end",
		outage, sent, probes, queued)
	if most := 5 + concurrency + probes; sent > most {
		t.Errorf("%d documents were sent, want at most %d", sent, most)
	}
	if queued < len(docs)-sent {
		t.Errorf("%d documents are QUEUED and %d of %d were sent", queued, sent, len(docs))
	}
	tried := map[string]bool{}
	for _, c := range s.vendor.log(opSubmit) {
		tried[digest(c.Body)] = true
	}
	healed.open()
	// What was sent may have arrived: it is looked for, for minutes, before it is uncertain.
	rest := len(docs) - len(tried)
	if !short {
		rest = len(docs)
	}
	ended := s.ended(15*time.Minute, rest)
	for _, e := range ended["ERROR submit_uncertain"] {
		if d, _ := e["document"].(map[string]any); !tried[d["sha256"].(string)] {
			t.Errorf("%v ended submit_uncertain and was not sent in the outage", e["id"])
		}
	}
	success, uncertain := len(ended["SUCCESS"]), len(ended["ERROR submit_uncertain"])
	t.Logf("%d SUCCESS and %d submit_uncertain %v after the outage", success, uncertain, (time.Since(began) - outage).Round(time.Second))
	if success < len(docs)-len(tried) || success+uncertain < rest {
		t.Errorf("%d SUCCESS and %d submit_uncertain of %d", success, uncertain, len(docs))
	}
	for sum, ids := range s.vendor.takenBy() {
		if len(ids) > 1 {
			t.Errorf("the vendor took %s %d times", sum, len(ids))
		}
	}
}

// probesWithin is how many probes a paused account may have had: the first after 30 s,
// then after twice the time each, up to 5 min.
func probesWithin(d time.Duration) (n int) {
	for wait := 30 * time.Second; d >= wait; wait = min(2*wait, 5*time.Minute) {
		d -= wait
		n++
	}
	return n
}
