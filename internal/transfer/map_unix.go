//go:build unix

package transfer

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile is the content of a file, to be read only.
func mapFile(f *os.File, size int64) (b []byte, unmap func(), err error) {
	b, err = unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	return b, func() { _ = unix.Munmap(b) }, nil
}
