package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hangup sends SIGHUP and waits until the process has read the configuration.
func (p *process) hangup(says string) {
	p.t.Helper()
	n := strings.Count(p.stderr.String(), says)
	p.signal(syscall.SIGHUP)
	eventually(p.t, "stderr says "+says, func() bool {
		if p.ended() {
			p.t.Fatal("the process ended by SIGHUP")
		}
		return strings.Count(p.stderr.String(), says) > n
	})
}

const (
	reloaded    = "configuration reloaded"
	notReloaded = "configuration not reloaded"
)

// TestRevokedKey revokes a key in the middle of 100 documents. None of them ends:
// the account pauses and says why, and after the key was replaced and the workers
// were told, all of them get there, each submitted once.
func TestRevokedKey(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(2*time.Second))
		const oldKey, newKey = "key-that-is-revoked-Wd72", "key-that-is-new-Pf35"
		secret := s.write("run/secrets/vendor", oldKey+"\n")
		provider, path := "sensible", "/sensible/v0"
		if d.account == typlessAccount {
			provider, path = "typless", "/typless/api"
		}
		s.write("extractq.yaml", fmt.Sprintf("accounts:\n  %s:\n    provider: %s\n    api_key: \"${file:%s}\"\n    base_url: %q\n    rate: 50/s\n",
			d.account, provider, secret, s.vendor.URL+path))
		// Both vendors take the key in a header of its own.
		good := func(x *exchange, key string) bool {
			for _, values := range x.r.Header {
				for _, v := range values {
					if strings.HasSuffix(v, key) {
						return true
					}
				}
			}
			return false
		}
		revoked := newGate()
		check := func(x *exchange) {
			if revoked.isOpen() && !good(x, newKey) {
				x.refuse(http.StatusUnauthorized, `{"message":"Unauthorized"}`)
				return
			}
			x.normal()
		}
		for _, o := range []op{opOpen, opSubmit, opPoll, opReady, opOther} {
			s.vendor.on(o, always, check)
		}
		docs := s.documents("inbox", 100)
		scheduler := s.scheduler()
		workers := []*process{s.worker(), s.worker()}
		ids := s.submit(d.account, paths(docs)...)
		eventually(t, "some are done and some are not", func() bool {
			return s.vendor.asked(d.takes) >= 40 && s.vendor.asked(opPoll) >= 10
		})
		revoked.open()
		eventually(t, "the account pauses", func() bool { return s.account(d.account)["state"] == "paused" })
		v := s.account(d.account)
		last, _ := v["last_error"].(map[string]any)
		if v["reason"] != "unauthorized" || v["since"] == nil || v["next_probe_at"] == nil || last["code"] != "unauthorized" {
			t.Errorf("the account says %v", v)
		}
		s.ticks(4)
		asked := s.vendor.total()
		s.ticks(4)
		if n := s.vendor.total() - asked; n > 0 {
			t.Errorf("the vendor was asked %d times with a refused key and no probe due", n)
		}
		for _, id := range ids {
			if v := s.status(id); v["error"] != nil || v["status"] == "ERROR" || v["status"] == "EXPIRED" {
				t.Fatalf("%s has ended: %v", id, v)
			}
		}

		s.write("run/secrets/vendor", newKey+"\n")
		began := time.Now()
		for _, p := range append(workers, scheduler) {
			p.hangup(reloaded)
		}
		s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(t, 0)
		t.Logf("all 100 were done %v after the new key", time.Since(began).Round(time.Millisecond))
		s.wantAll(ids, "SUCCESS")
		s.vendor.wantOnce(t, docs)
		if v := s.account(d.account); v["state"] != "active" || v["reason"] != nil || v["queued"] != json.Number("0") {
			t.Errorf("afterwards the account says %v", v)
		}
		for _, p := range append(workers, scheduler) {
			for _, key := range []string{oldKey, newKey} {
				if strings.Contains(p.stderr.String(), key) {
					t.Error("a log has a key in it")
				}
			}
			p.signal(syscall.SIGTERM)
			p.wait().want(t, 0)
		}
	})
}

// TestHangupOfBadFile breaks the configuration of running servers. Nothing
// changes, they say what is wrong and where, and a mended file is taken.
func TestHangupOfBadFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 3)
	servers := []*process{s.scheduler(), s.worker()}
	s.write("good.yaml", s.read("extractq.yaml"))
	for name, test := range map[string]struct{ content, says string }{
		"unknown key":    {s.read("extractq.yaml") + "    speed: 3\n", "extractq.yaml:15: accounts.acme-typless.speed"},
		"bad rate":       {strings.Replace(s.read("extractq.yaml"), "50/s", "fast", 1), "extractq.yaml:7: accounts.acme-sensible.rate"},
		"missing secret": {strings.Replace(s.read("extractq.yaml"), "E2E_TYPLESS_KEY", "E2E_UNSET", 1), "extractq.yaml:11: accounts.acme-typless.api_key: environment variable E2E_UNSET is not set"},
		"no account":     {"worker: {concurrency: 32}\n", "no account is configured"},
		"not YAML":       {"accounts: [\n", "extractq.yaml"},
	} {
		s.write("extractq.yaml", test.content)
		for _, p := range servers {
			p.hangup(notReloaded)
			if !strings.Contains(p.stderr.String(), test.says) {
				t.Errorf("%s: %s says %q, want %q", name, p.cmd.Args[1], tail(p.stderr.String()), test.says)
			}
		}
	}
	// They still work with what they have: the submission reads the good file.
	ids := s.submit(sensibleAccount, append([]string{"--config", "good.yaml"}, paths(docs[:2])...)...)
	s.run(s.shared(append([]string{"watch", "--config", "good.yaml", "--timeout", "80s"}, ids...)...)...).want(t, 0)
	// What needs a restart is said.
	s.write("extractq.yaml", s.read("good.yaml")+"worker: {concurrency: 7}\n")
	for _, p := range servers {
		p.hangup(reloaded)
		if !strings.Contains(p.stderr.String(), "restart") || !strings.Contains(p.stderr.String(), "[worker]") {
			t.Errorf("%s does not say that the change needs a restart: %q", p.cmd.Args[1], tail(p.stderr.String()))
		}
	}
	ids = s.submit(sensibleAccount, docs[2].path)
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(t, 0)
	for _, p := range servers {
		p.signal(syscall.SIGTERM)
		p.wait().want(t, 0)
	}
}

// TestAccountLeavesAndReturns takes an account out of the configuration of
// running servers while it has documents, and puts it back.
func TestAccountLeavesAndReturns(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(3*time.Second))
	docs := s.documents("inbox", 6)
	both := s.read("extractq.yaml")
	one, _, _ := strings.Cut(both, "  "+typlessAccount+":")
	servers := []*process{s.scheduler(), s.worker()}
	inFlight := s.submit(typlessAccount, paths(docs[:3])...)
	eventually(t, "they are at the vendor", func() bool { return s.vendor.asked(opSubmit) == 3 })
	s.write("extractq.yaml", one)
	for _, p := range servers {
		p.hangup(reloaded)
	}
	queued := s.submit(typlessAccount, append([]string{"--config", s.write("both.yaml", both)}, paths(docs[3:])...)...)
	eventually(t, "its queues show as paused", func() bool {
		submit, poll := s.queuesPaused(typlessAccount)
		return submit && poll
	})
	asked := s.vendor.total()
	s.ticks(6)
	if n := s.vendor.total() - asked; n > 0 {
		t.Errorf("the vendor was asked %d times for an account that has left", n)
	}
	if v := s.account(typlessAccount); v["state"] != "paused" || v["queued"] != json.Number("3") || v["in_flight"] != json.Number("3") {
		t.Errorf("the account that has left: %v", v)
	}
	s.wantAll(inFlight, "IN_PROGRESS")
	s.wantAll(queued, "QUEUED")

	s.write("extractq.yaml", both)
	for _, p := range servers {
		p.hangup(reloaded)
	}
	all := append(inFlight, queued...)
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, all...)...)...).want(t, 0)
	s.vendor.wantOnce(t, docs)
}

// TestHangupEndsOthers closes the terminal of a command that is not a server.
func TestHangupEndsOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(time.Hour))
	docs := s.documents("inbox", 1)
	id := s.submit(sensibleAccount, docs[0].path)[0]
	p := s.start(s.shared("watch", id)...)
	p.says("0 of 1 done")
	p.signal(syscall.SIGHUP)
	p.wait().want(t, 129)
}

// TestHangupOfUp replaces a vendor's key and the dashboard's in everything in one
// process, and refuses a file that would open the dashboard to all.
func TestHangupOfUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 4)
	accounts := s.read("extractq.yaml")
	file := func(vendorKey, boardKey string) {
		keys := ""
		if boardKey != "" {
			keys = fmt.Sprintf("api: {keys: {ops: {secret: %s, operator: true}}}\n", boardKey)
		}
		s.write("extractq.yaml", strings.Replace(accounts, "${E2E_SENSIBLE_KEY}", vendorKey, 1)+keys)
	}
	for _, o := range []op{opOpen, opReady} { // The second is the probe.
		s.vendor.on(o, always, func(x *exchange) {
			if !strings.HasSuffix(x.r.Header.Get("Authorization"), "second-key") {
				x.refuse(http.StatusUnauthorized, "")
				return
			}
			x.normal()
		})
	}
	file("first-key", "first-board-key")
	up := s.start("up", "--listen", ":0")
	board := "http://127.0.0.1:" + up.saysWhere()[strings.LastIndex(up.saysWhere(), ":")+1:]
	up.says("worker started")
	status := func(key string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, board+"/queues", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	ids := lines(s.run(append([]string{"submit", "--account", sensibleAccount, "--type", "tax_forms"}, paths(docs)...)...).want(t, 0).stdout)
	up.says("account paused")
	if got := status("first-board-key"); got != http.StatusOK {
		t.Errorf("the first key of the dashboard: %d", got)
	}
	file("second-key", "")
	up.hangup(notReloaded)
	if got := status("first-board-key"); got != http.StatusOK || !strings.Contains(up.stderr.String(), "api.keys") {
		t.Errorf("after a file without keys: %d, %q", got, tail(up.stderr.String()))
	}
	file("second-key", "second-board-key")
	up.hangup(reloaded)
	if old, now := status("first-board-key"), status("second-board-key"); old != http.StatusUnauthorized || now != http.StatusOK {
		t.Errorf("the old key of the dashboard: %d, the new one: %d", old, now)
	}
	s.run(append([]string{"watch", "--timeout", "80s"}, ids...)...).want(t, 0)
	s.vendor.wantOnce(t, docs)
	up.signal(syscall.SIGTERM)
	up.wait().want(t, 0)
}

// TestHangupOfAPI changes the accounts of a running API: a limit counts from then on,
// a new account takes documents, one that is gone takes none.
func TestHangupOfAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	before := s.read("extractq.yaml")
	api := s.start(s.shared("api", "--listen", "127.0.0.1:0")...)
	base := api.saysAPI() + "/v1"
	submit := func(account string) int {
		_, status := postDocument(t, base+"/extractions?type=tax_forms&account="+account, []byte("%PDF-1.7"))
		return status
	}
	if got := submit(sensibleAccount); got != http.StatusAccepted {
		t.Fatalf("the first document: %d", got)
	}
	s.write("extractq.yaml", strings.NewReplacer(sensibleAccount+":", sensibleAccount+":\n    max_backlog: 1", typlessAccount+":", "late:", "50/s", "20/s").Replace(before))
	api.hangup(reloaded)
	for account, want := range map[string]int{
		sensibleAccount: http.StatusTooManyRequests, "late": http.StatusAccepted, typlessAccount: http.StatusUnprocessableEntity,
	} {
		if got := submit(account); got != want {
			t.Errorf("a document for %s: %d, want %d", account, got, want)
		}
	}
	var shown struct {
		Accounts []struct {
			Name string
			Rate *float64
		}
	}
	_, body := page(t, base+"/accounts")
	if err := json.Unmarshal([]byte(body), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown.Accounts) != 2 || shown.Accounts[0].Name != sensibleAccount || *shown.Accounts[0].Rate != 20 || shown.Accounts[1].Name != "late" {
		t.Errorf("the accounts are %+v", shown.Accounts)
	}

	s.write("extractq.yaml", before+"api: {max_document: 1KiB}\n")
	api.hangup("[api.max_document]")
	api.signal(syscall.SIGTERM)
	api.wait().want(t, 0)
}
