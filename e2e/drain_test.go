package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestUsedUpPlan uses the vendor's plan up in the middle of 60 documents. Nothing
// fails meanwhile, nothing is tried, and what was submitted before ends; afterwards
// the rest goes through inside the rate.
func TestUsedUpPlan(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		const rate, plan = 20, 15
		s.write("extractq.yaml", strings.ReplaceAll(s.read("extractq.yaml"), `"50/s"`, `"20/s"`))
		call := d.takes
		if call == opPut {
			call = opOpen // What a plan counts; uploads go elsewhere.
		}
		renewed := newGate()
		s.vendor.on(call, func(n int) bool { return n >= plan }, func(x *exchange) {
			if renewed.isOpen() {
				x.normal()
				return
			}
			x.refuse(http.StatusTooManyRequests, `{"message":"Your plan's limit is exceeded"}`)
		})
		docs := s.documents("inbox", 60)
		workers := []*process{s.worker(), s.worker()}
		ids := s.submit(d.account, paths(docs)...)

		eventually(t, "the account pauses", func() bool { return s.account(d.account)["reason"] == "quota" })
		eventually(t, "what was submitted has ended", func() bool {
			return s.account(d.account)["in_flight"] == json.Number("0")
		})
		v := s.account(d.account)
		if last, _ := v["last_error"].(map[string]any); last["code"] != "vendor_quota" || v["next_probe_at"] == nil {
			t.Errorf("the account says %v", v)
		}
		asked := s.vendor.total()
		s.ticks(4)
		if n := s.vendor.total() - asked; n > 0 {
			t.Errorf("the vendor was asked %d times with a plan that is used up", n)
		}
		ended, waiting := len(s.listed("--status", "SUCCESS")), len(s.listed("--status", "QUEUED"))
		if ended != plan || waiting != len(docs)-plan {
			t.Errorf("%d have ended and %d wait, want the %d that were submitted, and the others", ended, waiting, plan)
		}
		if said := strings.Count(workers[0].stderr.String()+workers[1].stderr.String(), "account paused"); said != 1 {
			t.Errorf("it was said %d times that the account is paused, want once", said)
		}
		if said := s.run(s.shared("doctor")...).stdout; !strings.Contains(said, "quota") {
			t.Errorf("doctor says %q", said)
		}
		if got := workers[0].metric(`extractq_account_paused{account="` + d.account + `",reason="quota"}`); got != "1" {
			t.Errorf("the metric says %q", got)
		}

		renewed.open()
		s.run(s.shared("accounts", "resume", d.account)...).want(t, 0)
		s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(t, 0)
		s.vendor.wantOnce(t, docs)
		var at []time.Time
		for _, o := range []op{opOpen, opSubmit, opPoll, opReady} {
			for _, c := range s.vendor.log(o) {
				at = append(at, c.At)
			}
		}
		slices.SortFunc(at, time.Time.Compare)
		for i := range at {
			// A busy machine delivers some calls closer together than they were sent.
			if last := i + rate*3/2; last < len(at) && at[last].Sub(at[i]) < time.Second {
				t.Fatalf("%d calls in %v, with %d allowed in a second", rate*3/2+1, at[last].Sub(at[i]), rate)
			}
		}
	})
}
