package embedded

import (
	"net"
	"os"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// memory is a Redis inside this process.
type memory struct {
	redis    *miniredis.Miniredis
	listener net.Listener
	location location
	lock     *fileLock
	serving  sync.WaitGroup
	// ended stops the clock.
	ended chan struct{}
}

// tick is how often the clock for expiry advances. The library can advance it
// automatically, but then sorts all keys at every command, even inside scripts: with a
// thousand extractions in progress, a hundred milliseconds each.
const tick = 250 * time.Millisecond

// startMemory serves an in-process Redis on the socket, so that other commands find it like
// any other. It listens on no port, where every user of the machine could read the queue.
func startMemory(socket string, p location, lock *fileLock) (*memory, error) {
	m := &memory{redis: miniredis.NewMiniRedis(), location: p, lock: lock, ended: make(chan struct{})}
	// A first connection starts it without a port.
	first, err := m.redis.Dial()
	if err != nil {
		return nil, err
	}
	if err := first.Close(); err != nil {
		return nil, err
	}
	if m.listener, err = net.Listen("unix", socket); err != nil { //nolint:noctx // binding a socket does not wait
		m.redis.Close()
		return nil, err
	}
	if err := os.Chmod(socket, 0o700); err != nil {
		_ = m.listener.Close()
		m.redis.Close()
		return nil, err
	}
	m.serving.Go(m.serve)
	m.serving.Go(m.age)
	return m, nil
}

// age advances miniredis's clock: keys do not expire on their own.
func (m *memory) age() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-m.ended:
			return
		case now := <-ticker.C:
			m.redis.FastForward(now.Sub(last))
			last = now
		}
	}
}

func (m *memory) serve() {
	server := m.redis.Server()
	for {
		conn, err := m.listener.Accept()
		if err != nil {
			return // closed by stop
		}
		server.ServeConn(conn)
	}
}

func (m *memory) stop() error {
	close(m.ended)
	err := m.listener.Close()
	m.serving.Wait()
	m.redis.Close()
	if err != nil {
		return err
	}
	m.location.removeSocket()
	return m.lock.release()
}

// leave ends it too: it cannot outlive its process.
func (m *memory) leave() error { return m.stop() }

// kill does nothing: the server cannot outlive its process.
func (m *memory) kill() {}
