package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

const host = "127.0.0.1:8080"

// The page runs nothing that has not the nonce of its own answer, and asks no
// other host.
func TestPage(t *testing.T) {
	t.Parallel()
	d := open(t, Config{})
	seen := map[string]bool{}
	for _, target := range []string{"/queues", "/queues/", "/queues/servers", "/queues/queues/acme.poll?status=scheduled", "/queues/queues/acme.poll/tasks/01JD:2"} {
		w := ask(d, http.MethodGet, target, "Host", host)
		page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
		m := regexp.MustCompile(`script-src 'nonce-([A-Z2-7]{20,})'`).FindStringSubmatch(policy)
		if w.Code != http.StatusOK || m == nil {
			t.Fatalf("%s: %d with policy %q", target, w.Code, policy)
		}
		nonce := m[1]
		if seen[nonce] {
			t.Errorf("%s: its nonce was used before", target)
		}
		seen[nonce] = true
		if strings.Contains(page, "://") || strings.Contains(page, "manifest") || strings.Contains(page, nonceMark) {
			t.Errorf("%s: the page has another host, a manifest or no nonce:\n%s", target, page)
		}
		scripts, nonced := strings.Count(page, "<script"), strings.Count(page, `<script nonce="`+nonce+`"`)
		if scripts < 2 || nonced != scripts || !strings.Contains(page, `<meta property="csp-nonce" content="`+nonce+`"`) {
			t.Errorf("%s: %d of %d scripts have the nonce:\n%s", target, nonced, scripts, page)
		}
		if !strings.Contains(page, `FLAG_READ_ONLY="true"`) {
			t.Errorf("%s: the page offers changes to one who may only look", target)
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
			t.Errorf("%s: policy %q", target, policy)
		}
	}
	operator := ask(open(t, Config{Operator: true}), http.MethodGet, "/queues", "Host", host)
	if !strings.Contains(operator.Body.String(), `FLAG_READ_ONLY="false"`) {
		t.Error("an operator's page offers no changes")
	}
}

// A page of another build is refused and not shown half-working.
func TestRewriteUnknownPage(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"nothing":      "",
		"another root": `<html><head><script>ROOT="\/other"</script></head>`,
		"a host":       `<html><head><script>ROOT="\/queues"</script><script src="https://cdn.example/x.js"></script></head>`,
	} {
		if _, err := rewrite(page); err == nil {
			t.Errorf("%s: rewrite = nil, want an error", name)
		}
	}
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	t.Parallel()
	d := open(t, Config{Keys: keys()})
	for _, target := range []string{"/", "/queues", "/queues/static/js/x.js", "/queues/api/queues", "/nowhere", "/healthz"} {
		for _, key := range []string{"look-secret", "wrong"} {
			h := ask(d, http.MethodGet, target, "Authorization", "Bearer "+key).Header()
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s with %s: %s = %q, want %q", target, key, name, got, want)
				}
			}
			policy := h.Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("%s with %s: policy %q", target, key, policy)
			}
		}
	}
}

// What a browser may keep is what has no data in it.
func TestOnlyFilesAreCached(t *testing.T) {
	t.Parallel()
	d := open(t, Config{})
	page := ask(d, http.MethodGet, "/queues", "Host", host)
	script := regexp.MustCompile(`src="(/queues/static/js/main[^"]*)"`).FindStringSubmatch(page.Body.String())
	if script == nil {
		t.Fatal("the page has no script of its own")
	}
	for target, want := range map[string]string{"/queues": "no-store", readTarget: "no-store", script[1]: "private, max-age=86400"} {
		w := ask(d, http.MethodGet, target, "Host", host)
		if got := w.Header().Get("Cache-Control"); w.Code != http.StatusOK || got != want {
			t.Errorf("%s: %d, Cache-Control %q, want %q", target, w.Code, got, want)
		}
	}
	if got := ask(d, http.MethodGet, script[1], "Host", host).Header().Get("Content-Type"); !strings.HasPrefix(got, "application/javascript") {
		t.Errorf("the script is %q", got)
	}
}

// An extraction in progress is one scheduled task whose labels are shown, and
// another program's task in the same Redis shows nothing.
func TestTasksShowLabelsOnly(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	d := open(t, Config{Redis: rdb})
	q := queue.New(rdb)
	now := time.Now()
	for range 3 {
		err := q.Schedule(t.Context(), store.Record{
			Input: store.Input{ID: store.NewID(), Account: "acme", Type: "tax_forms", Customer: "north", Batch: "may"},
			Polls: 2, VendorStatus: "PROCESSING",
		}, extraction.StepPoll, store.Scheduled{Seq: 4, Due: now.Add(time.Hour), Now: now})
		if err != nil {
			t.Fatal(err)
		}
	}
	foreign := asynq.NewTask("email:send", []byte(`{"to":"jane@example.com"}`))
	if _, err := asynq.NewClientFromRedisClient(rdb).Enqueue(foreign, asynq.Queue("acme.poll"), asynq.ProcessIn(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w := ask(d, http.MethodGet, "/queues/api/queues/acme.poll/scheduled_tasks?size=1000&page=1", "Host", host)
	var got struct {
		Tasks []struct{ ID, Payload string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Tasks) != 4 {
		t.Fatalf("%d tasks, %v: %s", len(got.Tasks), err, w.Body)
	}
	hiddenOnes := 0
	for _, task := range got.Tasks {
		if task.Payload == hidden {
			hiddenOnes++
			continue
		}
		id, _, _ := strings.Cut(task.ID, ":")
		want := `{"id":"` + id + `","account":"acme","type":"tax_forms","customer":"north","batch":"may","polls":2,"vendor_status":"PROCESSING"}`
		if task.Payload != want {
			t.Errorf("payload %s, want %s", task.Payload, want)
		}
		detail := ask(d, http.MethodGet, "/queues/api/queues/acme.poll/tasks/"+task.ID, "Host", host)
		if !strings.Contains(detail.Body.String(), `\"vendor_status\":\"PROCESSING\"`) {
			t.Errorf("details %d %s", detail.Code, detail.Body)
		}
	}
	if hiddenOnes != 1 || strings.Contains(w.Body.String(), "jane") {
		t.Errorf("the other program's task is shown: %s", w.Body)
	}
}

// No list is longer than the UI's own longest page.
func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	d := open(t, Config{Redis: rdb})
	client := asynq.NewClientFromRedisClient(rdb)
	for range maxPage + 5 {
		if _, err := client.Enqueue(asynq.NewTask("x", nil), asynq.Queue("acme.poll")); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{"size=1000000": maxPage, "size=30": 30, "size=1000000&page=2": 5, "size=999999999999999999999": 20} {
		var got struct{ Tasks []any }
		w := ask(d, http.MethodGet, "/queues/api/queues/acme.poll/pending_tasks?"+query, "Host", host)
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Tasks) != want {
			t.Errorf("%s: %d tasks, %v, want %d", query, len(got.Tasks), err, want)
		}
	}
}

// An operator's change happens, is logged with the key's name, and the key itself
// is in no log.
func TestOperatorPauses(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var log bytes.Buffer
	d := open(t, Config{Redis: rdb, Keys: keys(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if _, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask("x", nil), asynq.Queue("acme.poll")); err != nil {
		t.Fatal(err)
	}
	const pause = "/queues/api/queues/acme.poll:pause"
	paused := func() bool {
		info, err := asynq.NewInspectorFromRedisClient(rdb).GetQueueInfo("acme.poll")
		if err != nil {
			t.Fatal(err)
		}
		return info.Paused
	}
	if w := ask(d, http.MethodPost, pause, "Authorization", "Bearer look-secret"); w.Code != http.StatusForbidden || paused() {
		t.Fatalf("one who may look pauses: %d", w.Code)
	}
	if w := ask(d, http.MethodPost, pause, "Authorization", "Bearer boss-secret"); w.Code >= 300 || !paused() {
		t.Fatalf("an operator does not pause: %d %s", w.Code, w.Body)
	}
	if s := log.String(); !strings.Contains(s, "key=boss") || !strings.Contains(s, "acme.poll:pause") || strings.Contains(s, "secret") {
		t.Errorf("logged %q", s)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	d := open(t, Config{})
	listen := func(address string) net.Listener {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return listener
	}
	if err := d.Serve(t.Context(), listen(":0")); !errors.Is(err, ErrExposed) {
		t.Errorf("Serve for everyone = %v, want %v", err, ErrExposed)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	listener := listen("127.0.0.1:0")
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, listener) }()
	base := "http://" + listener.Addr().String()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Request.URL.Path != "/queues" {
		t.Errorf("/ leads to %s with %d, want /queues", answer.Request.URL, answer.StatusCode)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Serve = %v, want nil after a stop", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Serve does not end")
	}
}

// Without Redis the page is there and says what is wrong; nothing hangs.
func TestRedisGone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := open(t, Config{Redis: server.Client()})
	server.Kill()
	if w := ask(d, http.MethodGet, "/queues", "Host", host); w.Code != http.StatusOK {
		t.Errorf("page = %d", w.Code)
	}
	if w := ask(d, http.MethodGet, readTarget, "Host", host); w.Code != http.StatusInternalServerError {
		t.Errorf("queues = %d %s, want %d", w.Code, w.Body, http.StatusInternalServerError)
	}
}
