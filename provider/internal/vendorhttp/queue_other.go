//go:build !linux && !darwin

package vendorhttp

import "syscall"

// shortQueue does nothing where the kernel has no such option.
func shortQueue(_, _ string, _ syscall.RawConn) error { return nil }
