// Package embedded provides a Redis where none is configured: run and up start with nothing
// installed or configured.
//
// If redis-server or valkey-server is on the PATH, it runs as a child with its append-only
// file in the data directory, synced on every write, reachable only through a unix socket
// that only this user can open. Everything that was accepted survives a crash of either
// process. Otherwise a Redis inside this process keeps everything in memory.
//
// The server belongs to the data directory, not to the process that started it. Every user
// of the server holds a shared lock, and the last one to close shuts it down. If extractq
// is killed, the server remains and the next run adopts it; it is not tied to its parent's
// death, since others may be using it. One in a scratch folder is tied, because no later
// run could find it. The server itself holds the lock that marks a running server: it
// inherits the open file, so that two servers never write the same append-only file, in
// whatever order processes die.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/extractq/extractq/internal/wait"
)

const (
	// lookAgain is the interval at which a starting or stopping server is checked.
	lookAgain = 10 * time.Millisecond
	// replyTimeout is how long a running server may take to reply. A server that is loading
	// its data says so, and is waited for as long as the caller likes.
	replyTimeout = 30 * time.Second
	// stopTimeout is how long a server may take to stop. Killing it then loses nothing,
	// since every write is synced.
	stopTimeout = 10 * time.Second
)

// ErrNotRunning is returned by Find if there is no server.
var ErrNotRunning = errors.New("no embedded Redis is running")

// Config says where an embedded Redis is.
type Config struct {
	// Dir is the data directory; the Redis is in its folder "redis", which is created for
	// this user only.
	Dir string
	// Bound ties a server that is started here to this process, however that ends: for a
	// folder of NewScratch, where no later process could adopt the server.
	Bound bool
	// Logger gets messages for the operator.
	Logger *slog.Logger
}

// Redis is a handle on an embedded Redis. Call Close.
type Redis struct {
	// URL is its address in go-redis's form.
	URL string
	// Persistent reports whether its data survives the process.
	Persistent bool

	location location
	logger   *slog.Logger
	users    *fileLock
	bound    bool
	// owned is the server that this process started; nil for an adopted one.
	owned stopper

	mu sync.Mutex
	// ending says that Close has found no other user of the server.
	ending bool
}

// stopper is a server that this process started.
type stopper interface {
	// stop ends the server.
	stop() error
	// leave lets the server continue, if possible, for its other users.
	leave() error
	// kill ends the server without waiting.
	kill()
}

// Start adopts the Redis of the directory or starts one there. It returns once the server
// has loaded its data and replies.
func Start(ctx context.Context, cfg Config) (*Redis, error) {
	return start(ctx, cfg, Program())
}

// Program is the path of the Redis server that Start would run; empty if there is none and
// it would be one in memory.
func Program() string {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil && canRunServers {
			return path
		}
	}
	return ""
}

func start(ctx context.Context, cfg Config, program string) (*Redis, error) {
	p, err := makeLocation(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded redis: %w", err)
	}
	r := &Redis{location: p, logger: cfg.Logger, bound: cfg.Bound}
	if r.users, err = lockWait(ctx, p.usersLock(), shared); err != nil {
		return nil, fmt.Errorf("embedded redis: %w", err)
	}
	if err := r.adoptOrStart(ctx, program); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded redis in %s: %w", p.dir, err), r.users.release())
	}
	if !r.Persistent {
		if p.hasData() {
			r.logger.WarnContext(ctx, "the data directory has a queue that a redis-server kept; it is not read without one", slog.String("dir", p.dir))
		}
		r.logger.WarnContext(ctx, "the queue is in memory only: what is queued or in flight is forgotten when extractq ends; "+
			"install redis-server, or name a Redis with --redis, to keep it", slog.String("dir", p.dir))
	}
	return r, nil
}

func (r *Redis) adoptOrStart(ctx context.Context, program string) error {
	quietSince := time.Now()
	for {
		switch state, socket := r.location.look(ctx); state {
		case answering:
			r.URL = socketURL(socket)
			r.Persistent = persistent(ctx, socket)
			r.logger.InfoContext(ctx, "adopted the running embedded Redis", slog.String("dir", r.location.dir))
			return nil
		case loading:
			quietSince = time.Now()
		case silent:
			if lock, ok, err := tryLock(r.location.serverLock(), exclusive); err != nil {
				return err
			} else if ok {
				return r.start(ctx, program, lock)
			}
		}
		if time.Since(quietSince) > replyTimeout {
			return fmt.Errorf("a server that does not answer holds %s: end that process", r.location.serverLock())
		}
		if err := wait.For(ctx, lookAgain); err != nil {
			return fmt.Errorf("wait for the server: %w", err)
		}
	}
}

// start starts a server under the lock, which belongs to the server from then on.
func (r *Redis) start(ctx context.Context, program string, lock *fileLock) error {
	socket, err := r.location.chooseSocket()
	if err != nil {
		return errors.Join(err, lock.release())
	}
	r.URL = socketURL(socket)
	if program == "" {
		r.owned, err = startMemory(socket, r.location, lock)
	} else {
		r.Persistent = true
		r.owned, err = startServer(ctx, program, socket, r.location, lock, r.bound, r.logger)
	}
	if err != nil {
		return errors.Join(err, lock.release())
	}
	return nil
}

// Close ends the use of the server, and the server itself if it has no other user. An
// in-memory one always ends.
func (r *Redis) Close() error {
	last, ok, err := r.lastUser()
	if err != nil {
		return err
	}
	if !ok {
		r.logger.Info("left the embedded Redis to the others that use it", slog.String("dir", r.location.dir))
		if r.owned != nil {
			return r.owned.leave()
		}
		return nil
	}
	r.location.compact()
	if r.owned != nil {
		err = r.owned.stop()
	} else {
		err = r.location.shutdown()
	}
	return errors.Join(err, last.release())
}

// lastUser ends the use of the server and reports whether it has no other user, with the
// users' lock. The process that gets that lock was the last user: of several that close at
// once exactly one gets it, unless a new user came; then that one is the last. A second
// call does not get the lock again.
func (r *Redis) lastUser() (last *fileLock, ok bool, err error) {
	r.mu.Lock() // Abandon must not find the lock of a Close that has not reported it yet.
	defer r.mu.Unlock()
	if r.ending {
		return nil, true, nil
	}
	if err := r.users.release(); err != nil {
		return nil, false, err
	}
	last, r.ending, err = tryLock(r.location.usersLock(), exclusive)
	return last, r.ending, err
}

// Abandon is Close for a process that ends at once, even during Close: it waits as little
// as possible. A server that was started here is killed, which loses nothing, since every
// write is synced.
func (r *Redis) Abandon() {
	last, ok, err := r.lastUser()
	if err != nil || !ok {
		if r.owned != nil {
			_ = r.owned.leave()
		}
		return
	}
	defer func() { _ = last.release() }()
	if r.owned != nil {
		r.owned.kill()
		return
	}
	_ = r.location.shutdown()
}

// Find returns the URL of the Redis of the data directory, for commands that start none
// themselves. It waits while that one loads its data.
func Find(ctx context.Context, dir string) (string, error) {
	p, err := newLocation(dir)
	if err != nil {
		return "", err
	}
	for {
		state, socket := p.look(ctx)
		switch state {
		case answering:
			return socketURL(socket), nil
		case silent:
			return "", fmt.Errorf("%w in %s: start extractq up, use extractq run, or name a Redis with --redis", ErrNotRunning, dir)
		case loading:
		}
		if err := wait.For(ctx, lookAgain); err != nil {
			return "", fmt.Errorf("the embedded Redis in %s still loads its data: %w", dir, err)
		}
	}
}

func socketURL(path string) string {
	return (&url.URL{Scheme: "unix", Path: path}).String()
}

// environment is the environment of a child: without ours, which contains keys.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
}
