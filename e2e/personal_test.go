package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
)

// TestServicesKeepPersonalData has a person's name in the document's name, its metadata, the
// callback's URL and the vendor's words. No log, metric, task or key in Redis has it, at the
// end of a document that succeeds and of one that is rejected.
func TestServicesKeepPersonalData(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		const person = "Quillfeather"
		s := newSite(t, quick(time.Second))
		s.callsBack()
		p := newProducer(t)
		processes := []*process{
			s.worker("--log-level", "debug"), s.start(s.shared("api", "--listen", "127.0.0.1:0", "--log-level", "debug")...),
		}
		processes[1].says("api at")
		doc := s.write("inbox/"+person+".pdf", string(fixtures.TaxForm(1)))
		ask := func() string {
			return s.submit(d.account, "--metadata", "patient="+person, "--callback-url", p.URL+"/hook?of="+person, doc)[0]
		}
		words := func(status int) func(*exchange) {
			return func(x *exchange) { x.refuse(status, `{"message":"no tax form of `+person+`","errors":["`+person+`"]}`) }
		}
		s.vendor.on(opPoll, func(n int) bool { return n == 1 }, words(http.StatusInternalServerError))
		good := ask()
		s.run(s.shared("watch", "--timeout", "80s", good)...).want(t, 0)
		s.vendor.on(opOpen, always, words(http.StatusUnprocessableEntity))
		s.vendor.on(opSubmit, always, words(http.StatusUnprocessableEntity))
		bad := ask()
		s.run(s.shared("watch", "--timeout", "80s", bad)...).want(t, 1)
		if shown := s.run(s.shared("status", bad)...).want(t, 0).stdout; strings.Count(shown, person) < 4 {
			t.Errorf("the extraction itself does not have it all: %s", shown)
		}
		eventually(t, "both are delivered", func() bool {
			return s.callback(good)["state"] == "delivered" && s.callback(bad)["state"] == "delivered"
		})

		for _, q := range processes {
			if text := q.stderr.String() + q.stdout.String(); strings.Contains(text, person) {
				at := strings.Index(text, person)
				t.Errorf("the log of %s has it: …%s", q.cmd.Args[1], text[max(0, at-200):min(len(text), at+80)])
			}
			if _, body := page(t, q.admin()+"/metrics"); strings.Contains(body, person) {
				t.Errorf("the metrics of %s have it", q.cmd.Args[1])
			}
		}
		for key, value := range everything(t, s.redis.Client()) {
			if strings.Contains(key, person) || strings.HasPrefix(key, "asynq:") && strings.Contains(value, person) {
				t.Errorf("%s has it in Redis", key)
			}
		}
	})
}
