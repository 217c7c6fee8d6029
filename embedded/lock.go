package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/extractq/extractq/internal/wait"
)

// mode is a kind of lock.
type mode bool

const (
	shared    mode = false
	exclusive mode = true
)

// fileLock is a lock on an open file. It belongs to the file, not to the process: a child
// that inherits the file holds it too, until both have closed it.
type fileLock struct {
	file *os.File
	once sync.Once
	err  error
}

// tryLock takes the lock on the file at path if it is free.
func tryLock(path string, m mode) (*fileLock, bool, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	ok, err := flock(f, m)
	if err != nil {
		_ = f.Close()
		return nil, false, fmt.Errorf("lock %s: %w; its file system must support locks", path, err)
	}
	if !ok {
		return nil, false, f.Close()
	}
	return &fileLock{file: f}, true, nil
}

// lockWait waits for the lock and takes it.
func lockWait(ctx context.Context, path string, m mode) (*fileLock, error) {
	for {
		l, ok, err := tryLock(path, m)
		if ok || err != nil {
			return l, err
		}
		if err := wait.For(ctx, 5*time.Millisecond); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", path, err)
		}
	}
}

// release ends the lock, also for children that have the file: every child has it between
// its fork and its exec. A second release, as by a signal during Close, does nothing.
func (l *fileLock) release() error {
	if l == nil {
		return nil
	}
	l.once.Do(func() { l.err = errors.Join(unlock(l.file), l.file.Close()) })
	return l.err
}

// leave closes the file and leaves the lock to the child that inherited it.
func (l *fileLock) leave() error {
	l.once.Do(func() { l.err = l.file.Close() })
	return l.err
}
