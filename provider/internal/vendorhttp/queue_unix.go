//go:build linux || darwin

package vendorhttp

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// maxUnsent is how many bytes of a request may wait in the kernel.
const maxUnsent = 128 << 10

// shortQueue keeps a connection's send queue short. Otherwise the kernel takes megabytes at
// once, and on a slow line that many uploads share, minutes may pass before it takes more:
// a moving upload would look stalled.
func shortQueue(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// A kernel without the option has long queues; nothing else suffers.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}
