package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// maxSocketPath is below the 104 bytes (macOS) and 108 bytes (Linux) of a unix socket's
// address.
const maxSocketPath = 100

// folder is the folder of the Redis in a data directory; pidName is a file in it.
const (
	folder  = "redis"
	pidName = "redis.pid"
)

// location is the folder of a data directory that holds the Redis.
type location struct{ dir string }

func newLocation(dataDir string) (location, error) {
	if dataDir == "" {
		return location{}, errors.New("no data directory")
	}
	abs, err := filepath.Abs(dataDir)
	if err != nil {
		return location{}, err
	}
	return location{dir: filepath.Join(abs, folder)}, nil
}

// makeLocation creates the folder and closes it to other users: a process that can open the
// socket can read and change everything.
func makeLocation(dataDir string) (location, error) {
	p, err := newLocation(dataDir)
	if err != nil {
		return location{}, err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return location{}, err
	}
	return p, os.Chmod(p.dir, 0o700)
}

// usersLock is shared by all users of the server.
func (p location) usersLock() string { return filepath.Join(p.dir, "users.lock") }

// serverLock is held by the server itself as long as it runs.
func (p location) serverLock() string { return filepath.Join(p.dir, "server.lock") }

// pidFile is where a server that is tied to its process writes its own process id.
func (p location) pidFile() string { return filepath.Join(p.dir, pidName) }

// serverLog is the server's log.
func (p location) serverLog() string { return filepath.Join(p.dir, "redis.log") }

// record is the file that contains the path of the socket.
func (p location) record() string { return filepath.Join(p.dir, "socket") }

// socket is the path of the socket when a server was last started; empty if none ever was.
func (p location) socket() string {
	b, err := os.ReadFile(p.record())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// chooseSocket decides where the socket shall be and records it: in the folder, or in a new
// private directory elsewhere if the folder's path is too long for a socket or its file
// system supports none. The caller holds the server lock.
func (p location) chooseSocket() (string, error) {
	p.removeSocket()
	path := filepath.Join(p.dir, "redis.sock")
	if !canListen(path) {
		var err error
		if path, err = shortSocket(); err != nil {
			return "", err
		}
	}
	temporary := p.record() + ".new"
	if err := os.WriteFile(temporary, []byte(path+"\n"), 0o600); err != nil {
		return "", err
	}
	return path, os.Rename(temporary, p.record())
}

// removeSocket removes the socket of a server that has ended. The caller holds the server
// lock.
func (p location) removeSocket() {
	socket := p.socket()
	if socket == "" {
		return
	}
	_ = os.Remove(socket)
	if dir := filepath.Dir(socket); dir != p.dir {
		_ = os.Remove(dir) // one that shortSocket made; empty by now
	}
	_ = os.Remove(p.record())
}

// hasData reports whether a server that wrote to disk was here before.
func (p location) hasData() bool {
	found, err := filepath.Glob(filepath.Join(p.dir, "appendonly*"))
	return err == nil && len(found) > 0
}

// shortSocket is a socket path in a new private directory.
func shortSocket() (string, error) {
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"} {
		if base == "" {
			continue
		}
		dir, err := os.MkdirTemp(base, "extractq-")
		if err != nil {
			continue
		}
		if path := filepath.Join(dir, "redis.sock"); canListen(path) {
			return path, nil
		}
		_ = os.Remove(dir)
	}
	return "", fmt.Errorf("no directory takes a unix socket with a path of at most %d bytes: set TMPDIR to one", maxSocketPath)
}

// canListen tests whether a socket can be created there, and leaves nothing behind.
func canListen(path string) bool {
	if len(path) > maxSocketPath {
		return false
	}
	_ = os.Remove(path)
	l, err := net.Listen("unix", path) //nolint:noctx // binding a socket does not wait
	if err != nil {
		return false
	}
	return l.Close() == nil // closing removes the file
}

// lastWords are the last lines of the server's log, for an error.
func (p location) lastWords() string {
	b, err := os.ReadFile(p.serverLog())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
