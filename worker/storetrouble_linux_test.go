package worker

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A disk that is full, and one that takes no writes any more.
func TestStoreTakesNothing(t *testing.T) {
	t.Parallel()
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		testStoreFails(t, func(r *rig) (func(), func()) {
			filler := filepath.Join(mounted(r), "filler")
			return func() {
				f, err := os.Create(filler)
				if err != nil {
					r.t.Fatal(err)
				}
				for _, size := range []int{1 << 16, 1 << 10, 1} {
					for err = nil; err == nil; {
						_, err = f.Write(make([]byte, size))
					}
				}
				_ = f.Close()
			}, func() { _ = os.Remove(filler) }
		})
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		testStoreFails(t, func(r *rig) (func(), func()) {
			dir := mounted(r)
			remount := func(flags uintptr) func() {
				return func() {
					if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
						r.t.Fatal(err)
					}
				}
			}
			return remount(syscall.MS_RDONLY), remount(0)
		})
	})
}

// mounted puts a small file system of its own below the rig's documents.
func mounted(r *rig) string {
	r.t.Helper()
	if err := syscall.Mount("tmpfs", r.dir, "tmpfs", 0, "size=2000k"); err != nil {
		r.t.Skipf("this user cannot mount a small file system: %v", err)
	}
	r.t.Cleanup(func() {
		if err := syscall.Unmount(r.dir, syscall.MNT_DETACH); err != nil {
			r.t.Errorf("unmount: %v", err)
		}
	})
	return r.dir
}
