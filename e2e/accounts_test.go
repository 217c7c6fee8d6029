package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// account is what the accounts command says about one account.
func (s *site) account(name string) map[string]any {
	s.t.Helper()
	v := parse(s.t, s.run(s.shared("accounts", name)...).want(s.t, 0).stdout)
	wantShape(s.t, "account", v)
	return v
}

// queuesPaused reports whether an account's queues are shown as paused. The inspector knows a queue only once something was in it.
func (s *site) queuesPaused(account string) (submit, poll bool) {
	s.t.Helper()
	paused := func(queue string) bool {
		n, err := s.redis.Client().Exists(s.t.Context(), "asynq:{"+queue+"}:paused").Result()
		if err != nil {
			s.t.Fatal(err)
		}
		return n == 1
	}
	return paused(account + ".submit"), paused(account + ".poll")
}

// ticks waits until the accounts have been looked after n times more.
func (s *site) ticks(n int) {
	s.t.Helper()
	last := map[string]string{}
	eventually(s.t, "the workers have looked after the accounts", func() bool {
		for _, account := range []string{sensibleAccount, typlessAccount} {
			slot := s.redis.Client().HGet(s.t.Context(), "extractq:{"+account+"}:ticks", "reconcile").Val()
			if before, ok := last[account]; ok && before != slot {
				n--
			}
			last[account] = slot
		}
		return n <= 0
	})
}

// TestAccountPausedByHand pauses an account with documents in the queue. Nothing
// of it moves until an operator resumes it, while the other account works.
func TestAccountPausedByHand(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 6)
	ids := s.submit(sensibleAccount, paths(docs[:3])...)
	v := s.account(sensibleAccount)
	if v["state"] != "active" || v["reason"] != nil || v["queued"] != json.Number("3") || v["in_flight"] != json.Number("0") ||
		v["oldest_queued_at"] == nil || v["rate"] != json.Number("50") || v["provider"] != "sensible" {
		t.Errorf("before the pause: %v", v)
	}
	paused := parse(t, s.run(s.shared("accounts", "pause", sensibleAccount)...).want(t, 0).stdout)
	if paused["state"] != "paused" || paused["reason"] != "operator" || paused["since"] == nil || paused["next_probe_at"] != nil {
		t.Errorf("the pause says %v", paused)
	}
	if again := parse(t, s.run(s.shared("accounts", "pause", sensibleAccount)...).want(t, 0).stdout); again["since"] != paused["since"] {
		t.Errorf("pausing again moves since from %v to %v", paused["since"], again["since"])
	}
	s.worker()
	others := s.submit(typlessAccount, paths(docs[3:])...)
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, others...)...)...).want(t, 0)
	s.ticks(6)
	if n := s.vendor.asked(opOpen); n != 0 {
		t.Errorf("a paused account made %d submissions", n)
	}
	if submit, poll := s.queuesPaused(sensibleAccount); !submit || !poll {
		t.Errorf("queues paused: submit %v, poll %v, want both", submit, poll)
	}
	s.wantAll(ids, "QUEUED")

	if v := parse(t, s.run(s.shared("accounts", "resume", sensibleAccount)...).want(t, 0).stdout); v["state"] != "active" || v["since"] != nil {
		t.Errorf("after resume: %v", v)
	}
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(t, 0)
	s.vendor.wantOnce(t, docs)
	if v := s.account(sensibleAccount); v["queued"] != json.Number("0") || v["rate_used"] == json.Number("0") {
		t.Errorf("after the work: %v, want nothing queued and a rate in use", v)
	}
}

// TestAccountsPrints checks the formats of the list, and what is no account.
func TestAccountsPrints(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 1)
	want := []string{sensibleAccount, typlessAccount}
	var got []string
	for _, line := range lines(s.run(s.shared("accounts")...).want(t, 0).stdout) {
		v := parse(t, line)
		wantShape(t, "account", v)
		got = append(got, v["name"].(string))
	}
	if !slices.Equal(got, want) {
		t.Errorf("accounts %q, want %q", got, want)
	}
	var all []map[string]any
	if err := json.Unmarshal([]byte(s.run(s.shared("accounts", "--format", "json")...).want(t, 0).stdout), &all); err != nil || len(all) != 2 {
		t.Errorf("--format json: %d accounts, %v", len(all), err)
	}
	table := lines(s.run(s.shared("accounts", "--format", "table")...).want(t, 0).stdout)
	if len(table) != 3 || !strings.HasPrefix(table[0], "NAME ") || !strings.Contains(table[1], "50/s") {
		t.Errorf("table %q", table)
	}

	// An account leaves the configuration: its extractions keep it in the list.
	s.submit(typlessAccount, docs[0].path)
	s.write("one.yaml", "accounts:\n  "+sensibleAccount+":\n    provider: sensible\n    api_key: k\n")
	gone := parse(t, s.run(s.shared("accounts", typlessAccount, "--config", "one.yaml")...).want(t, 0).stdout)
	wantShape(t, "account", gone)
	if gone["state"] != "paused" || gone["reason"] != "operator" || gone["provider"] != nil || gone["queued"] != json.Number("1") {
		t.Errorf("an account that is gone: %v", gone)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"unknown account":         {[]string{"accounts", "nobody"}, 2, sensibleAccount + ", " + typlessAccount},
		"pause an unknown one":    {[]string{"accounts", "pause", "nobody"}, 2, sensibleAccount + ", " + typlessAccount},
		"resume an unknown one":   {[]string{"accounts", "resume", "nobody"}, 2, "nobody"},
		"resume one that is gone": {[]string{"accounts", "resume", typlessAccount, "--config", "one.yaml"}, 2, "configuration"},
		"pause without a name":    {[]string{"accounts", "pause"}, 2, "one name"},
		"two names":               {[]string{"accounts", "a", "b"}, 2, "one name"},
		"csv":                     {[]string{"accounts", "--format", "csv"}, 2, "--format"},
		"unknown flag of pause":   {[]string{"accounts", "pause", "--frobnicate", sensibleAccount}, 2, "accounts pause: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantComplaint(t, s.run(s.shared(test.args...)...), test.code, test.says)
		})
	}
}
