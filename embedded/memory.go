package embedded

import (
	"net"
	"os"
	"sync"

	"github.com/alicebob/miniredis/v2"
)

// memory is a Redis inside this process.
type memory struct {
	redis    *miniredis.Miniredis
	listener net.Listener
	place    place
	lock     *fileLock
	serving  sync.WaitGroup
}

// startMemory serves an in-process Redis on the socket, so that the other
// commands find it like any other. It listens on no port, where every user of
// the machine could read the queue.
func startMemory(socket string, p place, lock *fileLock) (*memory, error) {
	m := &memory{redis: miniredis.NewMiniRedis(), place: p, lock: lock}
	// By default its time stands still, and nothing would ever expire.
	m.redis.ClockTTL(true)
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
	return m, nil
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
	err := m.listener.Close()
	m.serving.Wait()
	m.redis.Close()
	if err != nil {
		return err
	}
	m.place.removeSocket()
	return m.lock.release()
}

// leave ends it all the same: it cannot outlive its process.
func (m *memory) leave() error { return m.stop() }
