// Package redistest gives a test its own real redis-server: started in about ten
// milliseconds on a private unix socket, without persistence unless asked for,
// gone when the test ends. One server a test, so that tests run in parallel and
// none has to clean up after another.
//
// It is for tests only; the linter keeps it out of production code.
package redistest

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// maxSocketPath is below the 104 bytes (macOS) and 108 bytes (Linux) that fit
// into a unix socket's address.
const maxSocketPath = 100

// startTimeout is how long a server may take to answer. It is far above the
// usual 10 ms because a loaded machine runs many tests at once.
const startTimeout = 20 * time.Second

// poolSize is the number of connections of a Client. Tests of concurrent code
// must not be serialized by the pool, whose default is ten a CPU.
const poolSize = 64

// Server is one redis-server of one test.
type Server struct {
	// URL is the address in go-redis's form, "unix:///tmp/…/redis.sock".
	URL string
	// Dir is where the server keeps its socket, log and append-only files.
	Dir string

	t       testing.TB
	program string
	args    []string
	socket  string
	clock   clock

	mu      sync.Mutex
	process *process
}

// Durable are the arguments that make a server write every change to disk
// before it answers: for tests that kill and restart it.
func Durable() []string {
	return []string{"--appendonly", "yes", "--appendfsync", "always"}
}

// Start runs a redis-server until the test ends. The arguments are those of
// redis-server ("--maxmemory", "5mb") and come after the defaults, so that they
// win. Where there is no redis-server, the test fails if CI is true and is
// skipped otherwise.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	Require(t)
	return startProgram(t, clock{}, "redis-server", args)
}

// StartValkey is Start with a valkey-server. Where there is none, the test is skipped: not
// every system has a package of it.
func StartValkey(t testing.TB, args ...string) *Server {
	t.Helper()
	const program = "valkey-server"
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("no valkey-server on the PATH: apt-get install valkey-server, where there is such a package")
	}
	return startProgram(t, clock{}, program, args)
}

func startProgram(t testing.TB, c clock, program string, args []string) *Server {
	t.Helper()
	dir := tempDir(t)
	socket := filepath.Join(dir, "redis.sock")
	s := &Server{URL: "unix://" + socket, Dir: dir, t: t, program: program, args: args, socket: socket, clock: c}
	t.Cleanup(s.Kill)
	s.Restart()
	return s
}

// Client starts a server and returns a client for it, for tests that need
// nothing else.
func Client(t testing.TB, args ...string) *redis.Client {
	t.Helper()
	return Start(t, args...).Client()
}

// Options are fresh client options for the server, with go-redis's own retries
// and timeouts.
func (s *Server) Options() *redis.Options {
	return &redis.Options{
		Network:                  "unix",
		Addr:                     s.socket,
		PoolSize:                 poolSize,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Client returns a new client for the server, closed when the test ends.
func (s *Server) Client() *redis.Client {
	s.t.Helper()
	c := redis.NewClient(s.Options())
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Kill ends the server with SIGKILL, as a crash would, and returns when it is
// gone. Killing a dead server does nothing.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Restart kills the server if it lives, and starts it again with the same
// arguments on the same socket and directory. It returns when the server has
// loaded its data and answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := start(s.command())
	if err != nil {
		s.t.Fatalf("start %s: %v", s.program, err)
	}
	s.process = p
	if err := s.await(p); err != nil {
		s.t.Fatalf("%s does not answer: %v; its log:\n%s", s.program, err, s.log())
	}
}

// Pid is the process id of the server, 0 when it was killed: for tests that
// freeze it.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.cmd.Process.Pid
}

func (s *Server) command() *exec.Cmd {
	args := append([]string{
		"--port", "0",
		"--unixsocket", s.socket,
		"--unixsocketperm", "700",
		"--dir", s.Dir,
		"--logfile", filepath.Join(s.Dir, "redis.log"),
		"--save", "",
		"--appendonly", "no",
		"--daemonize", "no",
	}, s.args...)
	cmd := exec.CommandContext(context.Background(), s.program, args...) // Kill ends it
	cmd.Env = append(os.Environ(), s.clock.env...)
	return cmd
}

// await returns when the server answers PING, which it does with an error
// while it loads its data.
func (s *Server) await(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	opts := s.Options()
	opts.MaxRetries, opts.DialerRetries = -1, 1 // the defaults wait 100 ms between dials
	c := redis.NewClient(opts)
	defer func() { _ = c.Close() }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		err := dial(ctx, s.socket) // The client would log each refused connection.
		if err == nil {
			err = c.Ping(ctx).Err()
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-p.done:
			return p.err
		case <-tick.C:
		}
	}
}

func dial(ctx context.Context, socket string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (s *Server) log() []byte {
	b, err := os.ReadFile(filepath.Join(s.Dir, "redis.log"))
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(b)
}

// Require skips the test where there is no redis-server; where CI is true the
// test fails. Start calls it.
func Require(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return
	}
	const fix = "no redis-server on the PATH: apt-get install redis-server"
	if os.Getenv("CI") == "true" {
		t.Fatal(fix)
	}
	t.Skip(fix)
}

// tempDir is a directory for the test whose path is short enough for a socket;
// t.TempDir has the test's name in it and may be too long.
func tempDir(t testing.TB) string {
	t.Helper()
	if dir := t.TempDir(); len(filepath.Join(dir, "redis.sock")) <= maxSocketPath {
		return dir
	}
	dir, err := os.MkdirTemp("/tmp", "redistest-") //nolint:usetesting // t.TempDir is too long here
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
