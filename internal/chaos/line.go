package chaos

import (
	"context"
	"net"
	"sync"
	"time"
)

// line is a TCP proxy that can be cut, slowed and left half-open.
type line struct {
	addr    string
	network string
	target  string

	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{}
	// refusing closes what is new at once; delay holds every piece of data back.
	refusing bool
	delay    time.Duration
}

// conn is one connection through a line.
type conn struct {
	client, server net.Conn

	mu sync.Mutex
	// dead swallows everything, and neither end is told; deaf breaks the connection in
	// place of its next answer.
	dead, deaf bool
}

func newLine(ctx context.Context, network, target string) (*line, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &line{addr: l.Addr().String(), network: network, target: target, listener: l, conns: map[*conn]struct{}{}}
	p.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.carry(ctx, c) })
		}
	})
	return p, nil
}

func (l *line) close() {
	_ = l.listener.Close()
	l.refuse(true)
	l.cut()
	l.running.Wait()
}

func (l *line) carry(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := new(net.Dialer).DialContext(ctx, l.network, l.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	c := &conn{client: client, server: server}
	l.mu.Lock()
	refused := l.refusing
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, c)
	}()
	if refused {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(c, client, server, false) })
	both.Go(func() { l.pump(c, server, client, true) })
	both.Wait()
}

// pump carries data one way until either end is closed.
func (l *line) pump(c *conn, from, to net.Conn, answers bool) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		l.mu.Lock()
		delay := l.delay
		l.mu.Unlock()
		time.Sleep(delay)
		c.mu.Lock()
		dead, deaf := c.dead, c.deaf && answers
		c.mu.Unlock()
		if deaf {
			return
		}
		if dead {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut breaks every connection.
func (l *line) cut() { l.each(func(c *conn) { _, _ = c.client.Close(), c.server.Close() }) }

// hang leaves every connection half-open: neither end hears of the other any more. New
// ones work.
func (l *line) hang() { l.each(func(c *conn) { c.mu.Lock(); c.dead = true; c.mu.Unlock() }) }

// deafen loses the next answer of every connection: what was asked has been done.
func (l *line) deafen() { l.each(func(c *conn) { c.mu.Lock(); c.deaf = true; c.mu.Unlock() }) }

func (l *line) each(f func(*conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		f(c)
	}
}

func (l *line) refuse(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusing = on
}

func (l *line) slow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}
