package e2e

import (
	"net/http"
	"testing"
	"time"
)

// TestAnswersAreLost loses answers of every kind, and requests where losing one
// is not the same as never hearing of it again.
func TestAnswersAreLost(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dialect dialect
		op      op
		do      func(*exchange)
	}{
		"open, answer":    {sensibleDialect(), opOpen, answerLost},
		"open, request":   {sensibleDialect(), opOpen, requestLost},
		"put, answer":     {sensibleDialect(), opPut, answerLost},
		"put, request":    {sensibleDialect(), opPut, requestLost},
		"poll, answer":    {sensibleDialect(), opPoll, answerLost},
		"submit, answer":  {typlessDialect(), opSubmit, answerLost},
		"submit, nothing": {typlessDialect(), opSubmit, unavailable},
		"poll, request":   {typlessDialect(), opPoll, requestLost},
		"poll, nonsense":  {typlessDialect(), opPoll, nonsense},
		"put, nonsense":   {sensibleDialect(), opPut, func(x *exchange) { x.serve(); x.w.WriteHeader(http.StatusServiceUnavailable) }},
		"submit, garbage": {typlessDialect(), opSubmit, func(x *exchange) { x.serve(); _, _ = x.w.Write([]byte("<html>")) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(time.Second))
			docs := s.documents("inbox", 6)
			// Two in six: more in a row would be an outage, which is another
			// story.
			s.vendor.on(test.op, every(3, 2), test.do)
			out := s.path("results")
			args := append([]string{"run", "--account", test.dialect.account, "--type", "tax_forms", "--out", out}, paths(docs)...)
			r := s.run(args...).want(t, 0)
			t.Logf("6 documents took %v", r.took.Round(100*time.Millisecond))
			for _, doc := range docs {
				wantSuccess(t, s.result(out, doc.name), test.dialect.account, doc)
			}
			s.vendor.wantOnce(t, docs)
		})
	}
}

// unavailable refuses a request without acting on it, and says so.
func unavailable(x *exchange) { x.refuse(http.StatusServiceUnavailable, "try again") }

// nonsense answers as a proxy in the way might.
func nonsense(x *exchange) {
	x.refuse(http.StatusOK, "<html>Please log in to the guest network</html>")
}

// TestLostSubmissionIsFoundAtTheVendor looks closer at the one case where only
// the vendor can say what happened: it is asked for what is finished, and the
// document is not sent again.
func TestLostSubmissionIsFoundAtTheVendor(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(2*time.Second))
	docs := s.documents("inbox", 3)
	s.vendor.on(opSubmit, always, answerLost)
	s.run(append([]string{"run", "--account", typlessAccount, "--type", "tax_forms", "--out", s.path("results")}, paths(docs)...)...).want(t, 0)
	for _, doc := range docs {
		if n := s.vendor.sent(opSubmit, doc); n != 1 {
			t.Errorf("%s was sent %d times, want once", doc.name, n)
		}
	}
	if s.vendor.asked(opReady) == 0 {
		t.Error("the vendor was not asked for what is finished")
	}
	s.vendor.wantOnce(t, docs)
}

// TestVendorIsOverloaded answers the first calls of every kind with 429.
func TestVendorIsOverloaded(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		docs := s.documents("inbox", 6)
		for _, o := range []op{opOpen, opSubmit, opPoll} {
			s.vendor.on(o, every(2, 2), func(x *exchange) {
				x.w.Header().Set("Retry-After", "1")
				x.refuse(http.StatusTooManyRequests, `{"error":"slow down"}`)
			})
		}
		s.run(append([]string{"run", "--account", d.account, "--type", "tax_forms"}, paths(docs)...)...).want(t, 0)
		s.vendor.wantOnce(t, docs)
	})
}
