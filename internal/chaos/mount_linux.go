package chaos

import (
	"errors"
	"syscall"
	"time"
)

func mount(dir, size string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=700")
}

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }

// remount waits for a moment in which no file is open for writing.
func remount(dir string, readOnly bool) error {
	flags := uintptr(syscall.MS_REMOUNT)
	if readOnly {
		flags |= syscall.MS_RDONLY
	}
	var err error
	for range 1000 {
		if err = syscall.Mount("", dir, "", flags, ""); !errors.Is(err, syscall.EBUSY) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return err
}
