package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestAPIStopsGracefully tells the service to stop while 32 producers are in the
// middle of their uploads, four wait for a result and eight listen. What is under way
// is finished, who waits is answered and who listens is told; nothing that was
// accepted is lost.
func TestAPIStopsGracefully(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"api", "up"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			newLeaving(t, role).test()
		})
	}
}

// leaving is a service that is told to stop, and its clients.
type leaving struct {
	t    *testing.T
	role string
	site *site
	proc *process
	base string
	// client waits until it is told to send a body.
	client *http.Client

	mu  sync.Mutex
	ids []string
}

func newLeaving(t *testing.T, role string) *leaving {
	t.Helper()
	l := &leaving{t: t, role: role, site: newSite(t, quick(time.Hour)), client: &http.Client{
		Transport: &http.Transport{ExpectContinueTimeout: patience},
	}}
	t.Cleanup(l.client.CloseIdleConnections)
	l.start()
	return l
}

func (l *leaving) start() {
	l.t.Helper()
	l.proc = l.site.start(l.site.shared(l.role, "--listen", "127.0.0.1:0")...)
	l.proc.says(" at http://")
	l.base = regexp.MustCompile(` at (http://[^/\s]+)`).FindStringSubmatch(l.proc.stderr.String())[1]
}

func (l *leaving) test() {
	t := l.t
	const uploads, listeners, waits = 32, 8, 4
	var clients, halfway sync.WaitGroup
	rest := make(chan struct{})
	for i := range uploads {
		halfway.Add(1)
		clients.Go(func() { l.upload(i, halfway.Done, rest) })
	}
	for range listeners {
		halfway.Add(1)
		clients.Go(func() { l.listen(halfway.Done) })
	}
	halfway.Wait()
	for i := range waits {
		clients.Go(func() { l.wait(i) })
	}
	eventually(t, "some wait for a result", func() bool {
		return strings.Count(get(t, l.base+"/v1/extractions?batch=waiting"), `"batch":"waiting"`) == waits
	})

	began := time.Now()
	l.proc.signal(syscall.SIGTERM)
	// It takes no new connection.
	eventually(t, "new connections are refused", func() bool {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(l.base, "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(rest)
	clients.Wait()
	l.proc.wait().want(t, 0)
	t.Logf("%s stopped in %v", l.role, time.Since(began).Round(10*time.Millisecond))
	if len(l.ids) != uploads+waits {
		t.Errorf("%d documents were accepted, want %d", len(l.ids), uploads+waits)
	}

	l.start()
	for _, id := range l.ids {
		e := parse(t, get(t, l.base+"/v1/extractions/"+id))
		if e["status"] != "QUEUED" && e["status"] != "SUBMITTING" && e["status"] != "IN_PROGRESS" {
			t.Errorf("%s is %v (%v) after the restart", id, e["status"], e["error"])
		}
	}
	l.proc.signal(syscall.SIGTERM)
	l.proc.wait().want(t, 0)
}

// upload sends half of a document, says so, and the rest when it may.
func (l *leaving) upload(i int, halfway func(), rest <-chan struct{}) {
	const half = 200_000
	body, send := io.Pipe()
	go func() {
		_, _ = io.WriteString(send, "\x89PNG\r\n\x1a\n"+strings.Repeat("a", half-8))
		halfway()
		<-rest
		_, err := io.WriteString(send, strings.Repeat("b", half))
		_ = send.CloseWithError(err)
	}()
	l.post(fmt.Sprintf("/v1/extractions?account=%s&type=tax_forms&batch=uploads&name=%d.png", sensibleAccount, i), body, 2*half)
}

// wait submits a document and waits for a result that does not come.
func (l *leaving) wait(i int) {
	document := "\x89PNG\r\n\x1a\n" + fmt.Sprint(i)
	l.post("/v1/extractions?account="+sensibleAccount+"&type=tax_forms&batch=waiting&wait=60s", strings.NewReader(document), int64(len(document)))
}

// post submits a document, which must be accepted.
func (l *leaving) post(path string, body io.Reader, size int64) {
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.base+path, body)
	if err != nil {
		l.t.Error(err)
		return
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "image/png")
	// The body is sent when it is being read: a connection that the service has not
	// even accepted is nothing that it could finish.
	req.Header.Set("Expect", "100-continue")
	res, err := l.client.Do(req)
	if err != nil {
		l.t.Errorf("a request that was under way: %v", err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusAccepted {
		l.t.Errorf("a request that was under way: %s, %s, %v", res.Status, text, err)
		return
	}
	id, _ := parse(l.t, string(text))["id"].(string)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids = append(l.ids, id)
}

// listen listens until the service ends the stream, which it says first.
func (l *leaving) listen(listening func()) {
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, l.base+"/v1/events", nil)
	if err != nil {
		l.t.Error(err)
		return
	}
	res, err := http.DefaultClient.Do(req)
	listening()
	if err != nil {
		l.t.Error(err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	last := ""
	lines := bufio.NewScanner(res.Body)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			last = name
		}
	}
	if err := lines.Err(); err != nil || last != "server.stopping" {
		l.t.Errorf("a stream ended after %q, %v", last, err)
	}
}
