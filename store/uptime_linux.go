package store

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is a monotonic clock that goes on while the machine sleeps, which Go's does not:
// other machines do not sleep with it.
func uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Since(begun)
	}
	return time.Duration(now.Nano())
}
