//go:build !linux

package store

import "time"

// uptime is a monotonic clock.
func uptime() time.Duration { return time.Since(begun) }
