// Package embedded provides a Redis where none is configured: run and up start with nothing
// installed or configured.
//
// Where redis-server or valkey-server is on the PATH, it runs as a child with
// its append-only file in the data directory, synced on every write, reachable
// only through a unix socket that only this user can open. Everything that was
// accepted survives a crash of either process. Otherwise a Redis inside this
// process keeps everything in memory.
//
// The server belongs to the data directory, not to the process that started
// it. Every user of it holds a shared lock, and the last one to close shuts it
// down. When extractq is killed outright, the server stays and the next run
// adopts it; it is not tied to the parent's death (Pdeathsig would be, to the
// parent's thread at that, and only on Linux), since others may be using it. One
// in a scratch folder is tied, because no later run could find it.
// The server itself holds the lock that says a server is running: it inherits
// the open file, so that no two ever write the same append-only file, in whatever
// order processes die.
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
	// lookAgain is the wait between two looks at a server that starts or ends.
	lookAgain = 10 * time.Millisecond
	// patience is how long a running server may say nothing at all. A server
	// that loads its data says so, and is waited for as long as the caller likes.
	patience = 30 * time.Second
	// stopTimeout is how long a server may take to end when asked. Killing it
	// then loses nothing, since every write is synced.
	stopTimeout = 10 * time.Second
)

// ErrNotRunning is returned by Find where no server lives.
var ErrNotRunning = errors.New("no embedded Redis is running")

// Config says where an embedded Redis lives.
type Config struct {
	// Dir is the data directory; the Redis is in its folder "redis". It is
	// created, for this user only, if need be.
	Dir string
	// Bound ends a server that is started here with this process, however that ends:
	// in a folder of NewScratch, where no later process could adopt it.
	Bound bool
	// Logger gets what an operator should know.
	Logger *slog.Logger
}

// Redis is an embedded Redis in use. Close must be called.
type Redis struct {
	// URL is its address in go-redis's form.
	URL string
	// Persistent reports whether what it holds survives the process.
	Persistent bool

	place  place
	logger *slog.Logger
	users  *fileLock
	bound  bool
	// owned is the server this process started; nil for an adopted one.
	owned stopper

	mu sync.Mutex
	// ending says that Close has found no other user of the server.
	ending bool
}

// stopper is a server that this process started.
type stopper interface {
	// stop ends the server.
	stop() error
	// leave lets the server live on, if it can, for the others that use it.
	leave() error
	// kill ends the server without waiting for anything.
	kill()
}

// Start adopts the Redis that lives in the directory or starts one there. It
// returns when the server has loaded its data and answers.
func Start(ctx context.Context, cfg Config) (*Redis, error) {
	return start(ctx, cfg, Program())
}

// Program is the path of the Redis server that Start would run; empty where there
// is none, so that it would be one in memory.
func Program() string {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil && canRunServers {
			return path
		}
	}
	return ""
}

func start(ctx context.Context, cfg Config, program string) (*Redis, error) {
	p, err := makePlace(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded redis: %w", err)
	}
	r := &Redis{place: p, logger: cfg.Logger, bound: cfg.Bound}
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
		switch state, socket := r.place.look(ctx); state {
		case answering:
			r.URL = socketURL(socket)
			r.Persistent = persistent(ctx, socket)
			r.logger.InfoContext(ctx, "adopted the running embedded Redis", slog.String("dir", r.place.dir))
			return nil
		case loading:
			quietSince = time.Now()
		case silent:
			if lock, ok, err := tryLock(r.place.serverLock(), exclusive); err != nil {
				return err
			} else if ok {
				return r.start(ctx, program, lock)
			}
		}
		if time.Since(quietSince) > patience {
			return fmt.Errorf("a server that does not answer holds %s: end that process", r.place.serverLock())
		}
		if err := wait.For(ctx, lookAgain); err != nil {
			return fmt.Errorf("wait for the server: %w", err)
		}
	}
}

// start starts a server of our own under the lock, which is the server's from
// then on.
func (r *Redis) start(ctx context.Context, program string, lock *fileLock) error {
	socket, err := r.place.chooseSocket()
	if err != nil {
		return errors.Join(err, lock.release())
	}
	r.URL = socketURL(socket)
	if program == "" {
		r.owned, err = startMemory(socket, r.place, lock)
	} else {
		r.Persistent = true
		r.owned, err = startServer(ctx, program, socket, r.place, lock, r.bound, r.logger)
	}
	if err != nil {
		return errors.Join(err, lock.release())
	}
	return nil
}

// Close ends the use of the server, and the server itself if it has no other
// user. An in-memory one always ends.
func (r *Redis) Close() error {
	last, ok, err := r.lastUser()
	if err != nil {
		return err
	}
	if !ok {
		r.logger.Info("left the embedded Redis to the others that use it", slog.String("dir", r.place.dir))
		if r.owned != nil {
			return r.owned.leave()
		}
		return nil
	}
	r.place.compact()
	if r.owned != nil {
		err = r.owned.stop()
	} else {
		err = r.place.shutdown()
	}
	return errors.Join(err, last.release())
}

// lastUser ends the use of the server, and reports whether it has no others, with the lock of
// its users. The process that gets that lock was the last user: of several that close at once
// exactly one does, unless a new user came; then that one is the last. The second call of a
// process that was the last gets no lock.
func (r *Redis) lastUser() (last *fileLock, ok bool, err error) {
	r.mu.Lock() // Abandon must not meet the lock of a Close that has not said so yet.
	defer r.mu.Unlock()
	if r.ending {
		return nil, true, nil
	}
	if err := r.users.release(); err != nil {
		return nil, false, err
	}
	last, r.ending, err = tryLock(r.place.usersLock(), exclusive)
	return last, r.ending, err
}

// Abandon is Close for a process that ends at once, also in the middle of Close: it
// waits for as little as it can. A server that was started here is killed, which
// loses nothing, since every write is synced.
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
	_ = r.place.shutdown()
}

// Find is the URL of the Redis that lives in the data directory, for commands
// that bring none themselves. It waits while that one loads its data.
func Find(ctx context.Context, dir string) (string, error) {
	p, err := newPlace(dir)
	if err != nil {
		return "", err
	}
	for {
		state, socket := p.look(ctx)
		switch state {
		case answering:
			return socketURL(socket), nil
		case silent:
			return "", fmt.Errorf("%w in %s: start extractq up, or name a Redis with --redis", ErrNotRunning, dir)
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

// environment is what a child gets: nothing of ours, which has the keys.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
}
