//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package embedded

import (
	"os"
	"syscall"
)

// canRunServers reports whether a server can run beside this process. Here it
// cannot, for want of locks that a child inherits.
const canRunServers = false

// flock always succeeds: the caller must see to it that there is one process.
func flock(*os.File, mode) (bool, error) { return true, nil }

func unlock(*os.File) error { return nil }

func apart() *syscall.SysProcAttr { return nil }
