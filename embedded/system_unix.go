//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package embedded

import (
	"errors"
	"os"
	"syscall"
)

// canRunServers reports whether a server can run beside this process.
const canRunServers = true

func flock(f *os.File, m mode) (bool, error) {
	how := syscall.LOCK_SH
	if m == exclusive {
		how = syscall.LOCK_EX
	}
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return err == nil, err
		}
	}
}

func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// apart puts a child into a session of its own, so that neither Ctrl-C nor a
// closed terminal ends it before extractq has saved.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
