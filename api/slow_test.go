package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// dial opens a connection for what an HTTP client does not do.
func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	c, err := new(net.Dialer).DialContext(r.t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		r.t.Fatalf("a %T", c)
	}
	return tcp
}

// readAnswer reads one answer, however the connection ends behind it.
func readAnswer(t *testing.T, c net.Conn) (status int, body string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Errorf("no answer: %v", err)
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// closedWithin fails the test unless the server ends a connection in time; what it
// says first is returned.
func closedWithin(t *testing.T, what string, c net.Conn, limit time.Duration) string {
	t.Helper()
	began := time.Now()
	_ = c.SetReadDeadline(began.Add(limit))
	said, err := io.ReadAll(c)
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		t.Errorf("%s: the connection is open after %v", what, limit)
	}
	t.Logf("%s: closed after %v", what, time.Since(began).Round(100*time.Millisecond))
	return string(said)
}

// trickle writes a byte now and then until the server closes the connection.
func trickle(c net.Conn, done <-chan struct{}) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			if _, err := c.Write([]byte("a")); err != nil {
				return
			}
		}
	}
}

// Clients that hold connections and send next to nothing are disconnected, and delay no
// other client meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const idle = 1000
	silent := make([]*net.TCPConn, idle)
	for i := range silent {
		silent[i] = r.dial()
	}
	var waiting sync.WaitGroup
	done := make(chan struct{})
	slow := func(what, head string, limit time.Duration, says string) {
		c := r.dial()
		if _, err := fmt.Fprint(c, head); err != nil {
			t.Error(err)
		}
		waiting.Go(func() { trickle(c, done) })
		waiting.Go(func() {
			if said := closedWithin(t, what, c, limit); !strings.Contains(said, says) {
				t.Errorf("%s: the server said %q, want %q", what, said, says)
			}
		})
	}
	host := strings.TrimPrefix(r.url, "http://")
	slow("a header that trickles", "GET /v1/extractions HTTP/1.1\r\nHost: "+host+"\r\nX-Long: ", 30*time.Second, "")
	slow("a body that trickles", "POST /v1/extractions?account=acme&type=t HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 1000\r\n\r\n%PDF-", 30*time.Second, "request_timeout")
	slow("chunks that trickle", "POST /v1/extractions?account=acme&type=t HTTP/1.1\r\nHost: "+host+"\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", 30*time.Second, "request_timeout")
	slow("JSON that trickles", "POST /v1/ready/ack HTTP/1.1\r\nHost: "+host+"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", time.Minute, "request_timeout")
	began := time.Now()
	for range 20 {
		r.submit("account=acme&type=t")
	}
	t.Logf("20 documents beside %d silent connections and 4 slow ones: %v", idle, time.Since(began).Round(time.Millisecond))
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("others wait: %v for 20 documents", took)
	}
	closedWithin(t, "a connection without a byte", silent[0], 30*time.Second)
	closedWithin(t, "the last of them", silent[idle-1], 30*time.Second)
	close(done)
	waiting.Wait()
}
