//go:build linux || darwin

package vendorhttp

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// maxUnsent is how much of a request may wait in the kernel to be sent.
const maxUnsent = 128 << 10

// shortQueue keeps a connection's queue of unsent bytes short. The kernel takes
// megabytes at once otherwise, and on a slow line that many uploads share, minutes pass
// before it takes more or the last of them has left: an upload that moves would look
// like one that stands still.
func shortQueue(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// A kernel that does not know the option has long queues, and no more harm.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}
