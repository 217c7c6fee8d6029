package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// maxSocketPath is below the 104 bytes (macOS) and 108 bytes (Linux) that fit
// into a unix socket's address.
const maxSocketPath = 100

// folder is the Redis's in a data directory, and pidName a file in it.
const (
	folder  = "redis"
	pidName = "redis.pid"
)

// place is the folder of a data directory that has the Redis.
type place struct{ dir string }

func newPlace(dataDir string) (place, error) {
	if dataDir == "" {
		return place{}, errors.New("no data directory")
	}
	abs, err := filepath.Abs(dataDir)
	if err != nil {
		return place{}, err
	}
	return place{dir: filepath.Join(abs, folder)}, nil
}

// makePlace creates the folder, and closes it to other users: a process that
// can open the socket can read and change everything.
func makePlace(dataDir string) (place, error) {
	p, err := newPlace(dataDir)
	if err != nil {
		return place{}, err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return place{}, err
	}
	return p, os.Chmod(p.dir, 0o700)
}

// usersLock is shared by all that use the server.
func (p place) usersLock() string { return filepath.Join(p.dir, "users.lock") }

// serverLock is held by the server itself as long as it lives.
func (p place) serverLock() string { return filepath.Join(p.dir, "server.lock") }

// pidFile is where a server that ends with its process writes its own number.
func (p place) pidFile() string { return filepath.Join(p.dir, pidName) }

// serverLog is what the server has to say.
func (p place) serverLog() string { return filepath.Join(p.dir, "redis.log") }

// record is the file that says where the socket is.
func (p place) record() string { return filepath.Join(p.dir, "socket") }

// socket is where the socket was when a server was last started; empty if none
// ever was.
func (p place) socket() string {
	b, err := os.ReadFile(p.record())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// chooseSocket decides where the socket shall be and records it: in the folder,
// or in a new private directory elsewhere when the folder's path is too long
// for a socket or its file system takes none. The caller holds the server lock.
func (p place) chooseSocket() (string, error) {
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

// removeSocket removes what the socket of a server that is gone left behind. The
// caller holds the server lock.
func (p place) removeSocket() {
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
func (p place) hasData() bool {
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

// canListen tries whether a socket can be there, and leaves nothing behind.
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
func (p place) lastWords() string {
	b, err := os.ReadFile(p.serverLog())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
