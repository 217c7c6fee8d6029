package e2e

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// atAdmin is where a server role says that its health and metrics are.
var atAdmin = regexp.MustCompile(`msg="health and metrics" address=(\S+)`)

// admin is the address of a process's admin port.
func (p *process) admin() string {
	p.t.Helper()
	p.says(`msg="health and metrics"`)
	return "http://" + atAdmin.FindStringSubmatch(p.stderr.String())[1]
}

// page is what a URL answers, and with which status.
func page(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// metric is the value of a series at a process; empty where it is not there.
func (p *process) metric(series string) string {
	p.t.Helper()
	status, body := page(p.t, p.admin()+"/metrics")
	if status != http.StatusOK {
		p.t.Fatalf("/metrics answered %d", status)
	}
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
			return value
		}
	}
	return ""
}

// Every role has the port, and says there whether it can work.
func TestAdminOfEveryRole(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.durable()
	var roles []*process
	for _, role := range [][]string{
		{"worker"},
		{"scheduler"},
		{"api", "--listen", "127.0.0.1:0"},
		{"dashboard", "--listen", "127.0.0.1:0"},
		{"up", "--listen", "127.0.0.1:0"},
	} {
		roles = append(roles, s.start(s.shared(role...)...))
	}
	for _, p := range roles {
		for _, path := range []string{"/healthz", "/readyz"} {
			if status, body := page(t, p.admin()+path); status != http.StatusOK {
				t.Errorf("%v: %s answered %d, %s", p.cmd.Args[1:2], path, status, body)
			}
		}
		if got := p.metric(`extractq_account_paused{account="` + typlessAccount + `",reason="operator"}`); got != "0" {
			t.Errorf("%v: the account is paused: %q", p.cmd.Args[1:2], got)
		}
	}
	s.redis.Kill()
	for _, p := range roles {
		if status, body := page(t, p.admin()+"/readyz"); status != http.StatusServiceUnavailable || strings.Contains(body, s.dir) {
			t.Errorf("%v: without Redis /readyz answered %d, %s", p.cmd.Args[1:2], status, body)
		}
		if status, _ := page(t, p.admin()+"/healthz"); status != http.StatusOK {
			t.Errorf("%v: without Redis /healthz answered %d", p.cmd.Args[1:2], status)
		}
	}
	s.redis.Restart()
	for _, p := range roles {
		eventually(t, "it is ready again", func() bool { status, _ := page(t, p.admin()+"/readyz"); return status == http.StatusOK })
	}
}

func TestMetrics(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		up := s.start(s.shared("up", "--listen", "127.0.0.1:0")...)
		ids := s.submit(d.account, append([]string{"--batch", "b"}, paths(s.documents("inbox", 3))...)...)
		s.run(s.shared("watch", "--timeout", "80s", "--batch", "b")...).want(t, 0)
		for series, want := range map[string]string{
			`extractq_extractions_total{account="` + d.account + `",status="SUCCESS"}`: "3",
			`extractq_extraction_duration_seconds_count{account="` + d.account + `"}`:  "3",
			`extractq_polls_per_extraction_count{account="` + d.account + `"}`:         "3",
			`extractq_detection_delay_seconds_count{account="` + d.account + `"}`:      "3",
			`extractq_in_flight{account="` + d.account + `"}`:                          "0",
			`extractq_oldest_queued_seconds{account="` + d.account + `"}`:              "0",
			`extractq_queue_depth{queue="` + d.account + `.poll",state="scheduled"}`:   "0",
			`extractq_vendor_requests_total{account="` + d.account + `",code="200",op="submit"}`: map[string]string{
				sensibleAccount: "3", typlessAccount: "",
			}[d.account],
		} {
			if got := up.metric(series); got != want {
				t.Errorf("after %d extractions %s is %q, want %q", len(ids), series, got, want)
			}
		}
	})
}

// Two roles on one machine want the same port: by default the second one does without,
// and an address that was chosen must be free.
func TestAdminAddressTaken(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	plain := strings.ReplaceAll(s.read("extractq.yaml"), anyAdmin, "")
	first := s.worker()
	s.write("taken.yaml", plain+`admin: {listen: "`+strings.TrimPrefix(first.admin(), "http://")+"\"}\n")
	wantComplaint(t, s.run(s.shared("scheduler", "--config", s.path("taken.yaml"))...), 3, "admin.listen")

	s.write("off.yaml", plain+"admin: {listen: \"\"}\n")
	off := s.start(s.shared("scheduler", "--config", s.path("off.yaml"))...)
	off.says("scheduler started")
	if strings.Contains(off.stderr.String(), "health and metrics") {
		t.Errorf("a port that is off says %s", off.stderr.String())
	}

	s.write("default.yaml", plain)
	third := s.start(s.shared("worker", "--config", s.path("default.yaml"))...)
	fourth := s.start(s.shared("scheduler", "--config", s.path("default.yaml"))...)
	third.says("worker started")
	fourth.says("scheduler started")
	if said := third.stderr.String() + fourth.stderr.String(); !strings.Contains(said, "no health and metrics") {
		t.Errorf("of two processes with the default address none says that it is taken: %s", said)
	}

	// An account that comes with SIGHUP is shown.
	s.write("extractq.yaml", strings.ReplaceAll(s.read("extractq.yaml"), sensibleAccount+":", "another:"))
	first.signal(syscall.SIGHUP)
	first.says("configuration reloaded")
	if got := first.metric(`extractq_extractions_total{account="another",status="SUCCESS"}`); got != "0" {
		t.Errorf("the account that came shows %q, want 0", got)
	}
}
