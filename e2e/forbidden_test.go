package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestForbiddenList has a key that may do all but list. The lists are asked for while
// that is unknown, and stops nothing.
func TestForbiddenList(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(2*time.Second))
		listed := newGate()
		s.vendor.on(opPoll, always, func(x *exchange) {
			if !listed.isOpen() { // Of none is it known by then that it has ended.
				x.refuse(http.StatusNotFound, `{"code":"not_found","message":"not yet"}`)
				return
			}
			x.normal()
		})
		s.vendor.on(opReady, always, func(x *exchange) { x.refuse(http.StatusForbidden, "Forbidden") })
		workers := []*process{s.worker(), s.worker()}
		docs := s.documents("inbox", 60)
		ids := s.submit(d.account, paths(docs)...)
		said := func() int {
			return strings.Count(workers[0].stderr.String()+workers[1].stderr.String(), "ready list refused")
		}
		eventually(t, "the list is refused", func() bool { return said() > 0 })
		listed.open()
		began := time.Now()
		s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(t, 0)
		t.Logf("all were done %v after that, with %d lists asked for", time.Since(began).Round(time.Millisecond), s.vendor.asked(opReady))
		s.wantAll(ids, "SUCCESS")
		s.vendor.wantOnce(t, docs)
		last, _ := s.account(d.account)["last_error"].(map[string]any)
		if v := s.account(d.account); v["state"] != "active" || last["code"] != "unauthorized" {
			t.Errorf("the account says %v", v)
		}
		if n := said(); n != 1 {
			t.Errorf("that the list is refused is said %d times, want once", n)
		}
	})
}
