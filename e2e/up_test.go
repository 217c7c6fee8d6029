package e2e

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// saysWhere waits until the process says where its dashboard is.
func (p *process) saysWhere() string {
	p.t.Helper()
	p.says("dashboard at ")
	return strings.TrimSuffix(regexp.MustCompile(`dashboard at (http://\S+)`).FindStringSubmatch(p.stderr.String())[1], "/")
}

// saysAPI waits until the process says where its API is, and returns what is before /v1.
func (p *process) saysAPI() string {
	p.t.Helper()
	p.says("api at ")
	return regexp.MustCompile(`api at (http://[^/\s]+)`).FindStringSubmatch(p.stderr.String())[1]
}

// get asks for a page and returns its body.
func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, answer.Status, err)
	}
	return string(body)
}

// wantOrder fails the test unless the texts come one after the other.
func wantOrder(t *testing.T, in string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		i := strings.Index(in, text)
		if i < 0 {
			t.Fatalf("%q is missing, or out of order among %q", text, texts)
		}
		in = in[i:]
	}
}

// TestUpWithTheSandbox is the first contact with the service: two commands, no
// account, no Redis, no configuration file.
func TestUpWithTheSandbox(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.write("extractq.yaml", "")
	docs := s.documents("inbox", 3)
	up := s.start("up", "--provider", "sandbox", "--listen", "127.0.0.1:0")
	board := up.saysWhere()
	up.says("worker started")
	r := s.run(append([]string{"submit", "--provider", "sandbox", "--type", "tax_forms", "--wait"}, paths(docs)...)...).want(t, 0)
	if n := len(lines(r.stdout)); n != len(docs) {
		t.Errorf("%d extractions printed, want %d", n, len(docs))
	}
	if page := get(t, board+"/"); !strings.Contains(page, "Asynq") {
		t.Errorf("the dashboard shows %s", tail(page))
	}
	eventually(t, "the finished extractions are completed tasks", func() bool {
		return strings.Count(get(t, board+"/queues/api/queues/sandbox.poll/completed_tasks"), `\"status\":\"SUCCESS\"`) == len(docs)
	})
	up.signal(syscall.SIGTERM)
	r = up.wait().want(t, 0)
	wantOrder(t, r.stderr, "worker stopped", "role stopped\" role=worker", "role stopped\" role=dashboard")
	if alive := s.ownRedis(); len(alive) > 0 {
		t.Errorf("a Redis is left behind: %q", alive)
	}
}

// TestUpIsStoppedAndStartedAgain stops the process while documents are at the
// vendor: nothing is lost and nothing is submitted twice.
func TestUpIsStoppedAndStartedAgain(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGKILL": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(4*time.Second))
			docs := s.documents("inbox", 6)
			up := s.start("up", "--listen", "127.0.0.1:0")
			up.says("worker started")
			submit := append([]string{"submit", "--account", sensibleAccount, "--type", "tax_forms", "--batch", "b"}, paths(docs)...)
			ids := lines(s.run(submit...).want(t, 0).stdout)
			eventually(t, "some documents are at the vendor", func() bool { return s.vendor.asked(opPut) >= 2 })
			up.signal(how)
			if r := up.wait(); how == syscall.SIGTERM {
				r.want(t, 0)
			}

			up = s.start("up", "--listen", "127.0.0.1:0")
			up.says("worker started")
			r := s.run("watch", "--batch", "b", "--timeout", "80s").want(t, 0)
			var seen []string
			for _, line := range lines(r.stdout) {
				v := parse(t, line)
				id, _ := v["id"].(string)
				seen = append(seen, id)
			}
			slices.Sort(ids)
			slices.Sort(seen)
			if !slices.Equal(ids, seen) {
				t.Errorf("watch printed %q, want %q", seen, ids)
			}
			s.vendor.wantOnce(t, docs)
			up.signal(syscall.SIGINT)
			up.wait().want(t, 0)
		})
	}
}

// TestUpTakesNoTakenAddress: everything or nothing.
func TestUpTakesNoTakenAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	first := s.start("up", "--listen", "127.0.0.1:0")
	address := strings.TrimPrefix(first.saysWhere(), "http://")
	wantComplaint(t, s.run("up", "--data", s.path("other"), "--listen", address), 3, "--listen")
	if alive := s.ownRedis(); len(alive) != 1 {
		t.Errorf("%d Redis servers, want the first one's only: %q", len(alive), alive)
	}
	first.signal(syscall.SIGTERM)
	first.wait().want(t, 0)
}
