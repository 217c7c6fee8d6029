package dashboard

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/internal/browsertest"
	"github.com/extractq/extractq/internal/queue"
)

// update writes the screenshots again that the documentation shows.
var update = flag.Bool("update", false, "write docs/img again")

// listen serves a dashboard on the loopback interface until the test ends, and
// returns where it is.
func listen(t *testing.T, cfg Config) string {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

// screenshot writes what the browser shows to docs/img, when asked to.
func screenshot(t *testing.T, b *browsertest.Browser, name string) {
	t.Helper()
	if !*update {
		return
	}
	png := browsertest.Do(b, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join("..", "docs", "img", name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every page works in a real browser with 200 documents in flight: nothing in its
// console, nothing refused by the policy, no other host asked; and what it shows is
// what is in Redis.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	const documents = 200
	s := newService(t, time.Hour) // Polls are rare: what is scheduled stays.
	s.submit(documents)
	b := browsertest.New(t, listen(t, Config{Redis: s.rdb}), "")
	until(t, "all documents are at the vendor, and each has one scheduled poll", func() bool {
		got := s.snapshot()
		return got.tasks["scheduled"] == documents && got.waiting() == documents
	})

	b.Open("/", "acme.poll", "acme.submit")
	b.WantNothingWrong("queues")
	if got := browsertest.Eval[string](b, `document.title + " " + location.pathname`); got != "Asynq - Monitoring /queues" {
		t.Errorf("the first page is %q", got)
	}
	screenshot(t, b, "queues")

	b.Open("/queues/queues/acme.poll?status=scheduled", "tax_forms", "PROCESSING", "north")
	// The count of the tab, as people see it. The page looks again every few
	// seconds; it may have come in the moment of a poll.
	b.Until(`(n) => new RegExp("Scheduled\\s+" + n).test(document.body.innerText)`, documents)
	b.WantNothingWrong("scheduled tasks")
	if strings.Contains(browsertest.Eval[string](b, `document.body.innerText`), "secret-name") {
		t.Error("the document's name is shown")
	}
	screenshot(t, b, "scheduled")

	scheduled, err := asynq.NewInspectorFromRedisClient(s.rdb).ListScheduledTasks(queue.PollQueue("acme"), asynq.PageSize(1))
	if err != nil || len(scheduled) != 1 {
		t.Fatalf("%d scheduled tasks, %v", len(scheduled), err)
	}
	id, _, _ := strings.Cut(scheduled[0].ID, ":")
	b.Open("/queues/queues/acme.poll/tasks/"+scheduled[0].ID, `"id": "`+id+`"`, `"account": "acme"`, `"type": "tax_forms"`,
		`"customer": "north"`, `"batch": "may"`, `"polls": `, `"vendor_status": "PROCESSING"`)
	b.WantNothingWrong("a task")
	screenshot(t, b, "task")

	b.Open("/queues/servers", "acme.poll", "acme.submit")
	b.WantNothingWrong("servers")
	screenshot(t, b, "servers")

	for path, text := range map[string]string{
		"/queues/redis": "Redis Info", "/queues/schedulers": "Scheduler Entries", "/queues/settings": "Settings",
		"/queues/queues/acme.submit?status=completed": "acme.submit", "/queues/queues/nobody": "nobody",
	} {
		b.Open(path, text)
		if path == "/queues/queues/nobody" { // What is not there, it says itself.
			b.Forget()
			continue
		}
		b.WantNothingWrong(path)
	}

	// What is over is a completed task for a while.
	s.vendor.finish.Store(true)
	inspector := asynq.NewInspectorFromRedisClient(s.rdb)
	if err := inspector.RunTask(queue.PollQueue("acme"), scheduled[0].ID); err != nil {
		t.Fatal(err)
	}
	until(t, "one is completed", func() bool { return s.snapshot().tasks["completed"] == 1 })
	b.Open("/queues/queues/acme.poll?status=completed", id, "SUCCESS")
	b.WantNothingWrong("completed tasks")
}

// A browser that is asked for a key works with it as the password, on every page
// and for every call behind it.
func TestKeyInABrowser(t *testing.T) {
	t.Parallel()
	s := newService(t, time.Hour)
	s.submit(1)
	b := browsertest.New(t, listen(t, Config{Redis: s.rdb, Keys: keys()}), "look-secret")
	b.Open("/queues", "acme.submit")
	b.Open("/queues/servers", "acme.poll")
	b.WantNothingWrong("with a key")
	if got := browsertest.Eval[int](b, `fetch("/queues/api/queues/acme.poll:pause", {method: "POST"}).then(r => r.status)`); got != http.StatusForbidden {
		t.Errorf("who may look pauses: %d", got)
	}
}

// An operator's own page may change things; another site's page that the same
// browser shows may not, and learns nothing.
func TestOperatorInABrowser(t *testing.T) {
	t.Parallel()
	s := newService(t, time.Hour)
	s.submit(1)
	base := listen(t, Config{Redis: s.rdb, Operator: true})
	until(t, "the queue is there", func() bool { return s.snapshot().tasks["scheduled"] == 1 })
	paused := func() bool {
		info, err := asynq.NewInspectorFromRedisClient(s.rdb).GetQueueInfo(queue.PollQueue("acme"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Paused
	}
	const pause = "/queues/api/queues/acme.poll:pause"

	// The other site differs by its port, and is same-site to the browser.
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<p>Other site</p>`))
	}))
	t.Cleanup(other.Close)
	foreign := browsertest.New(t, other.URL, "")
	foreign.Open("/", "Other site")
	for name, script := range map[string]string{
		"a fetch":  `fetch("` + base + pause + `", {method: "POST", mode: "no-cors"}).then(r => r.type, e => "failed")`,
		"reading":  `fetch("` + base + `/queues/api/queues").then(r => r.text(), e => "failed")`,
		"a script": `new Promise(done => { const s = document.createElement("script"); s.onload = () => done("loaded"); s.onerror = () => done("failed"); s.src = "` + base + `/queues/api/queues"; document.head.append(s) })`,
		"a frame":  `new Promise(done => { const f = document.createElement("iframe"); f.onload = () => { try { done(f.contentDocument ? "loaded" : "failed") } catch { done("failed") } }; f.src = "` + base + `/queues"; document.body.append(f) })`,
	} {
		if got := browsertest.Eval[string](foreign, script); got != "failed" && got != "opaque" {
			t.Errorf("%s from another site: %s", name, got)
		}
	}
	if paused() {
		t.Error("another site's page has paused the queue")
	}

	b := browsertest.New(t, base, "")
	b.Open("/queues", "acme.poll")
	b.WantNothingWrong("an operator's page")
	if got := browsertest.Eval[int](b, `fetch("`+pause+`", {method: "POST"}).then(r => r.status)`); got != http.StatusNoContent || !paused() {
		t.Errorf("an operator's pause: %d, paused %v", got, paused())
	}
}
