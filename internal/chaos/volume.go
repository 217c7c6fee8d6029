package chaos

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
)

// volume is the disk of the document store. Where this user may mount one it is a file
// system of its own, that can be full and read-only.
type volume struct {
	dir     string
	mounted bool
	shadows atomic.Int32
}

// volumeSize is enough for what a round stores.
const volumeSize = "256m"

var errNotMounted = errors.New("this user cannot mount a file system")

func newVolume(dir string) (*volume, error) {
	v := &volume{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	v.mounted = mount(dir, volumeSize) == nil
	return v, os.MkdirAll(v.data(), 0o700)
}

// data is where the document store is.
func (v *volume) data() string { return filepath.Join(v.dir, "data") }

func (v *volume) close() {
	if v.mounted {
		_ = unmount(v.dir)
	}
}

func (v *volume) readOnly(on bool) error {
	if !v.mounted {
		return errNotMounted
	}
	return remount(v.dir, on)
}

// vanish takes the store away, as a file system that is not mounted any more.
func (v *volume) vanish() error { return os.Rename(v.data(), v.data()+".away") }

// reappear brings it back. What was written in its place meanwhile is out of reach then,
// as below a mount.
func (v *volume) reappear() error {
	err := os.Rename(v.data(), fmt.Sprintf("%s.shadow-%d", v.data(), v.shadows.Add(1)))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(v.data()+".away", v.data())
}

func (v *volume) filler() string { return filepath.Join(v.dir, "filler") }

// fill leaves no room.
func (v *volume) fill() error {
	if !v.mounted {
		return errNotMounted
	}
	f, err := os.Create(v.filler())
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for _, size := range []int{1 << 20, 1 << 10, 1} {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if errors.Is(err, io.ErrShortWrite) || err != nil {
			err = nil // There is no room for this much.
		}
	}
	return nil
}

func (v *volume) empty() error { return os.Remove(v.filler()) }
