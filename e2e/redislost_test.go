package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A Redis that is emptied under running processes is noticed by all of them. A run ends
// and names what it waited for; nothing is submitted again; and when one process is told
// to accept the empty Redis, the others go on by themselves.
func TestRedisEmptied(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(8*time.Second))
	docs := s.documents("inbox", 3)
	worker := s.worker()
	dashboard := s.start(s.shared("dashboard", "--listen", "127.0.0.1:0")...)
	api := s.start(s.shared("api", "--listen", "127.0.0.1:0")...)
	roles := map[string]*process{"worker": worker, "dashboard": dashboard, "api": api}
	ready := func(p *process) int { status, _ := page(t, p.admin()+"/readyz"); return status }
	for name, p := range roles {
		eventually(t, name+" is ready", func() bool { return ready(p) == http.StatusOK })
	}
	args := s.shared("run", "--account", sensibleAccount, "--type", "tax_forms", "--out", s.path("results"), "inbox")
	run := s.start(args...)
	eventually(t, "all are at the vendor", func() bool { return s.vendor.asked(opPut) == len(docs) })
	watched := s.listed()
	rdb := s.redis.Client()
	clients := func() int { return strings.Count(rdb.ClientList(t.Context()).Val(), "\n") }
	before := clients()
	watch := s.start(s.shared("watch", watched[0])...)
	eventually(t, "it is watched", func() bool { return clients() > before })
	s.listed() // As long as another process needs for all it does, this one has waited.

	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	r := run.wait().want(t, 3)
	for _, id := range watched {
		if !strings.Contains(r.stderr, id) {
			t.Errorf("run does not name %s: %q", id, r.stderr)
		}
	}
	if !strings.Contains(r.stderr, "lost its data") || !strings.Contains(r.stderr, "--accept-empty-redis") {
		t.Errorf("run says %q", r.stderr)
	}
	if w := watch.wait(); w.code != 3 || !strings.Contains(w.stderr, watched[0]) {
		t.Errorf("watch ended with %d: %q", w.code, w.stderr)
	}
	for name, p := range roles {
		eventually(t, name+" is not ready", func() bool { return ready(p) == http.StatusServiceUnavailable })
	}
	worker.says("nothing is submitted any more")
	s.diagnose(2, s.shared("--no-vendors")...).want(t, "documents", "fix", "--accept-empty-redis")
	if _, code := postDocument(t, api.saysAPI()+"/v1/extractions?type=tax_forms&account="+sensibleAccount, []byte(s.read("inbox/"+docs[0].name))); code != http.StatusServiceUnavailable {
		t.Errorf("the API answers %d", code)
	}

	s.start(s.shared("scheduler", "--accept-empty-redis")...).says("scheduler started")
	for name, p := range roles {
		eventually(t, name+" is ready again", func() bool { return ready(p) == http.StatusOK })
	}
	worker.says("belong together again")
	// What the vendor has is fetched from there, and not submitted again.
	for _, id := range watched {
		s.age("data", "documents", id)
	}
	s.run(s.shared("recover")...).want(t, 0)
	s.run(args...).want(t, 0)
	s.vendor.wantOnce(t, docs)
}
