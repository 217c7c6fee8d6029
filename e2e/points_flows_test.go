package e2e

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/store"
)

// flow is something that users do, from its beginning to its end.
type flow struct {
	name string
	run  func(*death)
	// once says that it is the same for every vendor.
	once bool
}

// flows are what is tried. Each checks that nothing was lost, nothing was paid twice, and
// that the records agree with their indexes.
var flows = []flow{
	{name: "submit and poll", run: (*death).submitAndPoll},
	{name: "lost answer", run: (*death).lostAnswer},
	{name: "take over", run: (*death).takeOver},
	{name: "webhook", run: (*death).webhook},
	{name: "pause", run: (*death).pause, once: true},
	{name: "outage", run: (*death).outage, once: true},
	{name: "submit command", run: (*death).submitCommand, once: true},
	{name: "retry", run: (*death).retry},
	{name: "retry of uncertain", run: (*death).retryUncertain, once: true},
	{name: "retry many", run: (*death).retryMany, once: true},
	{name: "cancel", run: (*death).cancel},
	{name: "delete", run: (*death).remove, once: true},
	{name: "adopt", run: (*death).adopt, once: true},
	{name: "callback", run: (*death).callBack, once: true},
	{name: "redeliver", run: (*death).redeliver, once: true},
	{name: "expire", run: (*death).expire, once: true},
	{name: "api", run: (*death).api, once: true},
	{name: "run", run: (*death).journal},
}

// records are the site's records.
func (x *death) records() []store.Record {
	x.t.Helper()
	if x.reader == nil {
		x.shared() // Starts the Redis.
		s, err := store.NewRecords(x.redis.Client())
		if err != nil {
			x.t.Fatal(err)
		}
		x.reader = s
	}
	var out []store.Record
	for r, err := range x.reader.List(x.t.Context(), []string{x.d.account}, extraction.Filter{}, store.Cursor{}) {
		if err != nil {
			x.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// allEnded holds once n extractions have ended, and none has not.
func (x *death) allEnded(n int) func() bool {
	return func() bool {
		all := x.records()
		return len(all) == n && !slices.ContainsFunc(all, func(r store.Record) bool { return !r.Status.Final() })
	}
}

// wantPaid fails the test unless the vendor has each document at most once, and every
// extraction is a success, or submit_uncertain.
func (x *death) wantPaid(docs []document) {
	x.t.Helper()
	taken := x.vendor.takenBy()
	for _, d := range docs {
		if n := len(taken[d.sha256]); n > 1 {
			x.t.Errorf("the vendor has taken %s %d times: %v", d.name, n, taken[d.sha256])
		}
	}
	for _, r := range x.records() {
		switch {
		case r.Status == extraction.StatusSuccess && len(taken[string(r.Document.SHA256)]) == 1:
		case r.RetriedBy != "":
		case r.Failure != nil && r.Failure.Code == extraction.CodeSubmitUncertain && len(taken[string(r.Document.SHA256)]) == 0:
		default:
			x.t.Errorf("%s is %s (%+v), taken %v", r.ID, r.Status, r.Failure, taken[string(r.Document.SHA256)])
		}
	}
}

// finish lets a worker carry everything to its end.
func (x *death) finish(n int) {
	x.t.Helper()
	x.rescue(x.allEnded(n), x.shared("worker")...)
}

func (x *death) submitAndPoll() {
	docs := x.documents("inbox", 1)
	x.submit(x.d.account, paths(docs)...)
	x.victim(x.allEnded(1), x.shared("worker")...)
	x.finish(1)
	x.wantPaid(docs)
}

// lostAnswer loses the answer to the first submission, which is then searched for.
func (x *death) lostAnswer() {
	x.vendor.on(x.d.takes, first(1), answerLost)
	x.submitAndPoll()
}

// takeOver lets a worker die in the middle of a step, and the one that takes it over too.
// Its own poll takes longer than the time after which a lease is renewed.
func (x *death) takeOver() {
	x.vendor.on(opPoll, always, func(e *exchange) {
		select {
		case <-time.After(300 * time.Millisecond):
		case <-x.vendor.done:
		}
		e.normal()
	})
	docs := x.documents("inbox", 1)
	x.submit(x.d.account, paths(docs)...)
	first := x.begin("before vendor GET: "+x.d.provider()+".Client.Poll < worker.step.ask < worker.Worker.poll", x.shared("worker")...)
	x.end(first, nil)
	x.victim(x.allEnded(1), x.shared("worker")...)
	x.finish(1)
	x.wantPaid(docs)
}

// provider is the dialect's adapter.
func (d dialect) provider() string { return strings.TrimPrefix(d.account, "acme-") }

// webhook lets the vendor call, for an extraction that it has and for one that it does
// not know yet.
func (x *death) webhook() {
	config := strings.ReplaceAll(x.read("extractq.yaml"), `    rate: "50/s"`, "    rate: \"50/s\"\n    hook_token: \"${E2E_HOOK_TOKEN}\"")
	x.write("extractq.yaml", config)
	held := newGate()
	x.vendor.on(opPoll, always, func(e *exchange) { e.hold(held); e.normal() })
	docs := x.documents("inbox", 1)
	x.submit(x.d.account, paths(docs)...)
	x.rescue(func() bool { return x.records()[0].VendorID != "" }, x.shared("worker")...)
	held.open()
	known := x.records()[0].VendorID
	x.serve(func(base string) bool {
		for _, id := range []string{known, "0a1b2c3d-0000-4000-8000-000000000000"} {
			body := `{"id":"` + id + `","status":"COMPLETE","type":"extraction.finished","data":{"id":"` + id + `"}}`
			if !x.post(base+"/v1/hooks/"+x.d.account+"/"+hookToken, body, "Content-Type", "application/json") {
				return false
			}
		}
		return true
	})
	x.finish(1)
	x.wantPaid(docs)
}

// pause stops an account, and lets it go on.
func (x *death) pause() {
	docs := x.documents("inbox", 1)
	x.submit(x.d.account, paths(docs)...)
	for _, what := range []string{"pause", "resume"} {
		x.victim(nil, x.shared("accounts", what, x.d.account)...)
		x.rescue(nil, x.shared("accounts", what, x.d.account)...)
	}
	x.finish(1)
	x.wantPaid(docs)
}

// outage lets the vendor refuse every submission until the account is paused, and the
// operator resume it.
func (x *death) outage() {
	down := newGate()
	x.vendor.on(opSubmit, always, func(e *exchange) {
		select {
		case <-down.opened:
			e.normal()
		default:
			e.refuse(http.StatusServiceUnavailable, "down")
		}
	})
	docs := x.documents("inbox", 8) // A death leaves four of them uncertain.
	x.submit(x.d.account, paths(docs)...)
	paused := func() bool {
		r := x.run(x.shared("accounts", x.d.account, "--json")...)
		return strings.Contains(r.stdout, `"unavailable"`)
	}
	x.victim(paused, x.shared("worker")...)
	x.rescue(paused, x.shared("worker")...)
	down.open()
	x.run(x.shared("accounts", "resume", x.d.account)...).want(x.t, 0)
	x.finish(len(docs))
	x.wantPaid(docs)
}

func (x *death) submitCommand() {
	docs := x.documents("inbox", 2)
	x.victim(nil, append(x.shared("submit", "--account", x.d.account, "--type", "tax_forms"), paths(docs)...)...)
	x.finish(len(x.records()))
	x.wantPaid(docs)
}

// refused submits documents that the vendor refuses once each.
func (x *death) refused(n int) ([]document, []string) {
	x.t.Helper()
	docs := x.documents("inbox", n)
	x.vendor.on(opOpen, first(n), func(e *exchange) { e.refuse(http.StatusBadRequest, `{"message":"no"}`) })
	x.vendor.on(opSubmit, first(n), func(e *exchange) { e.refuse(http.StatusBadRequest, `{"message":"no"}`) })
	ids := x.submit(x.d.account, paths(docs)...)
	x.finish(n)
	return docs, ids
}

func (x *death) retry() {
	docs, ids := x.refused(1)
	x.victim(nil, x.shared("retry", ids[0])...)
	x.rescue(nil, x.shared("retry", ids[0])...)
	x.finish(2)
	x.wantPaid(docs)
}

func (x *death) retryMany() {
	docs, _ := x.refused(3)
	args := x.shared("retry", "--status", "ERROR", "--account", x.d.account, "--yes")
	x.victim(nil, args...)
	x.rescue(nil, args...)
	x.finish(6)
	x.wantPaid(docs)
}

// retryUncertain repeats an uncertain submission that the vendor has after all.
func (x *death) retryUncertain() {
	docs := x.documents("inbox", 1)
	x.vendor.on(opSubmit, first(1), answerLost)
	x.vendor.on(opReady, first(1<<20), func(e *exchange) {
		if len(x.records()) > 1 {
			e.normal()
			return
		}
		e.refuse(http.StatusOK, `[]`)
	})
	id := x.submit(x.d.account, paths(docs)...)[0]
	x.finish(1)
	x.rescue(nil, x.shared("retry", id)...)
	x.victim(x.allEnded(2), x.shared("worker")...)
	x.finish(2)
	x.wantPaid(docs)
}

func (x *death) cancel() {
	docs := x.documents("inbox", 1)
	held := newGate()
	x.vendor.on(opPoll, always, func(e *exchange) { e.hold(held); e.normal() })
	id := x.submit(x.d.account, paths(docs)...)[0]
	x.rescue(func() bool { return x.vendor.asked(opPoll) > 0 }, x.shared("worker")...)
	held.open()
	x.victim(nil, x.shared("cancel", id)...)
	x.rescue(nil, x.shared("cancel", id)...)
	if got := x.records()[0].Status; !got.Final() {
		x.t.Errorf("canceled and %s", got)
	}
	x.vendor.wantOnce(x.t, docs)
}

func (x *death) remove() {
	docs := x.documents("inbox", 2)
	x.submit(x.d.account, paths(docs)...)
	x.finish(2)
	args := x.shared("delete", "--account", x.d.account, "--status", "SUCCESS", "--yes")
	x.victim(nil, args...)
	x.rescue(nil, args...)
	x.wantNothingKept()
}

// wantNothingKept fails the test if a record or a blob is left.
func (x *death) wantNothingKept() {
	x.t.Helper()
	if left := x.records(); len(left) > 0 {
		x.t.Errorf("%d records are left", len(left))
	}
	_ = filepath.WalkDir(x.path("data", "documents"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(name, "/01") {
			x.t.Errorf("%s is left", name)
		}
		return nil
	})
}

func (x *death) adopt() {
	docs := x.documents("inbox", 1)
	id := x.submit(x.d.account, paths(docs)...)[0]
	x.finish(1)
	vendorID := x.records()[0].VendorID
	x.run(x.shared("delete", id)...).want(x.t, 0)
	args := x.shared("adopt", "--account", x.d.account, "--type", "tax_forms", vendorID)
	x.victim(nil, args...)
	x.rescue(nil, args...)
	x.finish(1)
	x.vendor.wantOnce(x.t, docs)
}

// callBack tells a producer of the end.
func (x *death) callBack() {
	x.callsBack()
	p := newProducer(x.t)
	docs := x.documents("inbox", 1)
	x.submit(x.d.account, "--callback-url", p.URL, docs[0].path)
	delivered := func() bool {
		return slices.ContainsFunc(x.records(), func(r store.Record) bool { return r.Deliveries.State == store.DeliveryDelivered })
	}
	x.victim(delivered, x.shared("worker")...)
	x.rescue(delivered, x.shared("worker")...)
	x.wantOneDelivery(p)
	x.wantPaid(docs)
}

func (x *death) wantOneDelivery(p *producer) {
	x.t.Helper()
	ids := map[string]bool{}
	for _, c := range p.called() {
		ids[c.id] = true
	}
	if len(ids) != 1 {
		x.t.Errorf("the producer received %d events, want one: %v", len(ids), ids)
	}
}

func (x *death) redeliver() {
	x.callsBack()
	p := newProducer(x.t, http.StatusGone)
	docs := x.documents("inbox", 1)
	id := x.submit(x.d.account, "--callback-url", p.URL, docs[0].path)[0]
	is := func(s store.DeliveryState) func() bool {
		return func() bool { return x.records()[0].Deliveries.State == s }
	}
	x.rescue(is(store.DeliveryFailed), x.shared("worker")...)
	x.victim(nil, x.shared("redeliver", id)...)
	x.rescue(nil, x.shared("redeliver", id)...)
	x.rescue(is(store.DeliveryDelivered), x.shared("worker")...)
	x.wantOneDelivery(p)
}

// expire lets the retention of an extraction pass: the record is made to be as old.
func (x *death) expire() {
	x.submit(x.d.account, paths(x.documents("inbox", 1))...)
	x.finish(1)
	id, prefix := x.records()[0].ID, "extractq:{"+x.d.account+"}:"
	rdb := x.redis.Client()
	_, err := rdb.Pipelined(x.t.Context(), func(p redis.Pipeliner) error {
		p.HSet(x.t.Context(), prefix+"r:"+id, "exp", 1, "dexp", 1)
		p.ZAdd(x.t.Context(), prefix+"due", redis.Z{Score: 1, Member: id})
		return nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
	gone := func() bool { return len(x.records()) == 0 }
	x.victim(gone, x.shared("worker")...)
	x.rescue(gone, x.shared("worker")...)
	x.wantNothingKept()
}

// post sends a request to the API and reports whether it was taken.
func (x *death) post(target, body string, header ...string) bool {
	x.t.Helper()
	req, err := http.NewRequestWithContext(x.t.Context(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false // The API has died.
	}
	_ = resp.Body.Close()
	return resp.StatusCode/100 == 2
}

// serve runs the API until ask succeeds, which is tried again where the API has died.
func (x *death) serve(ask func(base string) bool) {
	x.t.Helper()
	for _, point := range []string{x.point, "-"} {
		p := x.begin(point, x.shared("api", "--listen", "127.0.0.1:0")...)
		eventually(x.t, "the API serves, or has died", func() bool { return p.ended() || strings.Contains(p.stderr.String(), "api at ") })
		if !p.ended() {
			base := p.saysAPI()
			eventually(x.t, "the API has done it, or has died", func() bool { return ask(base) || p.ended() })
		}
		x.end(p, func() bool { return true })
		x.died = x.died || p.killed()
	}
}

// api hands in a document under an idempotency key, again until it is accepted.
func (x *death) api() {
	doc := string(fixtures.TaxForm(1))
	target := "/v1/extractions?type=tax_forms&name=1040.pdf&account=" + x.d.account
	x.serve(func(base string) bool {
		return x.post(base+target, doc, "Idempotency-Key", "k1", "Content-Type", "application/pdf")
	})
	x.finish(1)
	if taken := x.vendor.takenBy(); len(taken) != 1 {
		x.t.Errorf("the vendor has %v", taken)
	}
}

// journal is run with a journal, and the Redis that it brings.
func (x *death) journal() {
	docs := x.documents("inbox", 2)
	args := []string{"run", "--account", x.d.account, "--type", "tax_forms", "--out", x.path("results"), "--retry-failed", x.path("inbox")}
	x.victim(nil, args...)
	x.rescue(nil, args...)
	taken := x.vendor.takenBy()
	for _, doc := range docs {
		body, err := os.ReadFile(x.path("results", doc.name+".json"))
		if err != nil {
			x.t.Errorf("no result: %v", err)
			continue
		}
		e := parse(x.t, string(body))
		if n := len(taken[doc.sha256]); n > 1 || n == 0 && e["status"] == "SUCCESS" {
			x.t.Errorf("%s is %v, and the vendor has taken it %d times", doc.name, e["status"], n)
		}
		if code, _ := e["error"].(map[string]any); e["status"] != "SUCCESS" && code["code"] != "submit_uncertain" {
			x.t.Errorf("%s is %v: %v", doc.name, e["status"], e["error"])
		}
	}
}
