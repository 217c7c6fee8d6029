package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/extractq/extractq/internal/wait"
)

// restartDelay keeps a server that cannot run from being restarted in a busy loop.
const restartDelay = time.Second

// server is a redis-server that this process started and keeps running.
type server struct {
	program  string
	socket   string
	location location
	lock     *fileLock
	// bound says that it ends with this process.
	bound  bool
	logger *slog.Logger

	// ended is closed when stop, leave or kill was called.
	ended chan struct{}
	once  sync.Once
	// supervised is closed when the supervisor has returned.
	supervised chan struct{}

	mu      sync.Mutex
	process *os.Process
}

// startServer starts the program and returns when it replies.
func startServer(ctx context.Context, program, socket string, p location, lock *fileLock, bound bool, logger *slog.Logger) (*server, error) {
	s := &server{
		program: program, socket: socket, location: p, lock: lock, bound: bound, logger: logger,
		ended: make(chan struct{}), supervised: make(chan struct{}),
	}
	began := time.Now()
	cmd, err := s.launch(ctx)
	if err != nil {
		return nil, err
	}
	exited := watch(cmd)
	if err := s.ready(ctx, exited); err != nil {
		return nil, err
	}
	logger.InfoContext(ctx, "started the embedded Redis", slog.String("dir", p.dir), slog.String("program", program),
		slog.Int("pid", cmd.Process.Pid), slog.Duration("duration", time.Since(began)))
	go s.supervise(context.WithoutCancel(ctx), exited)
	return s, nil
}

// arguments are the whole configuration: there is no file. They are visible in the process
// list and contain no secret; the directory's mode controls access.
func (s *server) arguments() []string {
	args := []string{
		"--port", "0",
		"--unixsocket", s.socket,
		"--unixsocketperm", "700",
		"--dir", s.location.dir,
		"--daemonize", "no",
		"--logfile", s.location.serverLog(),
		"--databases", "1",
		"--save", "",
		"--appendonly", "yes",
		// What was accepted must survive a power cut, not only a crash.
		"--appendfsync", "always",
		// A full Redis must refuse writes, never evict.
		"--maxmemory", "0",
		"--maxmemory-policy", "noeviction",
	}
	if s.bound {
		args = append(args, "--pidfile", s.location.pidFile())
	}
	return args
}

// launch starts the program. It inherits the lock's file, and with it the lock.
func (s *server) launch(ctx context.Context) (*exec.Cmd, error) {
	// The server outlives the context that it was started under: Close ends it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.program, s.arguments()...)
	cmd.Env = environment()
	cmd.Dir = s.location.dir
	cmd.ExtraFiles = []*os.File{s.lock.file}
	cmd.SysProcAttr = apart()
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return nil, errors.New("closed")
	default:
	}
	begin := cmd.Start
	if s.bound {
		begin = func() error { return startBound(cmd) }
	}
	if err := begin(); err != nil {
		return nil, err
	}
	s.process = cmd.Process
	return cmd, nil
}

// ending is how the program ended.
type ending struct{ err error }

// String gives "exit status 1", "signal: killed".
func (e ending) String() string {
	if e.err == nil {
		return "exit status 0"
	}
	return e.err.Error()
}

// watch sends how the program ended, once.
func watch(cmd *exec.Cmd) <-chan ending {
	exited := make(chan ending, 1)
	go func() { exited <- ending{cmd.Wait()} }()
	return exited
}

// ready waits until the server replies. If ctx ends first, the server is killed.
func (s *server) ready(ctx context.Context, exited <-chan ending) error {
	for {
		if ping(ctx, s.socket) == answering {
			return nil
		}
		select {
		case e := <-exited:
			return fmt.Errorf("%s ended at once (%s): %s", s.program, e, s.location.lastWords())
		default:
		}
		if err := wait.For(ctx, lookAgain); err != nil {
			_ = s.process.Kill()
			<-exited
			return fmt.Errorf("wait for %s to load its data: %w", s.program, err)
		}
	}
}

// supervise restarts the server when it ends unexpectedly, as when the system ran out of
// memory. Nothing is lost; clients reconnect.
func (s *server) supervise(ctx context.Context, exited <-chan ending) {
	defer close(s.supervised)
	for {
		why := (<-exited).String()
		for {
			select {
			case <-s.ended:
				return
			default:
			}
			s.logger.ErrorContext(ctx, "the embedded Redis ended unexpectedly; starting it again",
				slog.String("error", why), slog.String("log", s.location.serverLog()))
			cmd, err := s.launch(ctx)
			if err == nil {
				exited = watch(cmd)
				break
			}
			why = err.Error()
			s.pause()
		}
		s.pause()
	}
}

// pause waits a moment, or until the server is closed.
func (s *server) pause() {
	t := time.NewTimer(restartDelay)
	defer t.Stop()
	select {
	case <-s.ended:
	case <-t.C:
	}
}

func (s *server) end() *os.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.once.Do(func() { close(s.ended) })
	return s.process
}

// stop asks the server to end, kills it if it does not, and waits for it.
func (s *server) stop() error {
	process := s.end()
	err := process.Signal(syscall.SIGTERM)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the embedded Redis: %w", err)
	}
	t := time.NewTimer(stopTimeout)
	defer t.Stop()
	select {
	case <-s.supervised:
	case <-t.C:
		s.logger.Warn("the embedded Redis did not end in time and was killed")
		_ = process.Kill()
		<-s.supervised
	}
	s.location.removeSocket()
	return s.lock.release()
}

// kill does not wait for the end, which is certain.
func (s *server) kill() { _ = s.end().Kill() }

// leave stops supervising. The server keeps its own copy of the lock's file; the supervisor
// returns when the server ends, or with this process.
func (s *server) leave() error {
	s.end()
	return s.lock.leave()
}
