package redistest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// Relay is a small TCP proxy before a Server. What it leads to can change, and connections
// that exist stay where they lead.
type Relay struct {
	// URL is its address in go-redis's form.
	URL string

	mu       sync.Mutex
	to       *Server
	rewrites [2][]byte
}

// NewRelay starts a relay to a server until the test ends.
func NewRelay(t testing.TB, to *Server) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It ends with the test.
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{URL: "redis://" + l.Addr().String(), to: to}
	var conns sync.WaitGroup
	ended := make(chan struct{})
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { r.carry(c, ended) })
		}
	})
	t.Cleanup(func() { close(ended); _ = l.Close(); conns.Wait() })
	return r
}

// Lead makes connections from now on lead to another server.
func (r *Relay) Lead(to *Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

// Rewrite replaces text in every reply from now on, as a proxy with words of its own does.
func (r *Relay) Rewrite(from, to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rewrites = [2][]byte{[]byte(from), []byte(to)}
}

func (r *Relay) rewrite(reply []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rewrites[0]) == 0 {
		return reply
	}
	return bytes.ReplaceAll(reply, r.rewrites[0], r.rewrites[1])
}

func (r *Relay) carry(from net.Conn, ended <-chan struct{}) {
	r.mu.Lock()
	socket := r.to.socket
	r.mu.Unlock()
	to, err := net.Dial("unix", socket) //nolint:noctx // It ends with the test.
	if err != nil {
		_ = from.Close()
		return
	}
	var both sync.WaitGroup
	done := make(chan struct{}, 2)
	both.Go(func() { _, _ = io.Copy(to, from); done <- struct{}{} })
	both.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := to.Read(buf)
			if n > 0 {
				if _, err := from.Write(r.rewrite(buf[:n])); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		done <- struct{}{}
	})
	select {
	case <-done:
	case <-ended:
	}
	_, _ = from.Close(), to.Close()
	both.Wait()
}
