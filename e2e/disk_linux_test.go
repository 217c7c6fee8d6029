package e2e

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mount mounts a file system of its own in the site, of so many kilobytes.
func (s *site) mount(name string, kilobytes string) string {
	s.t.Helper()
	dir := s.path(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+kilobytes+"k"); err != nil {
		s.t.Skipf("this user cannot mount a small file system: %v", err)
	}
	s.t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			s.t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill leaves no room in a folder, and returns what makes room again.
func fill(t *testing.T, dir string) (undo func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1 << 16, 1 << 10, 1} {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// TestFullDisk runs out of room before the run and in the middle of it, wherever
// it happens to hurt. The run ends with one line and exit code 3, and goes on once
// there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for name, memory := range map[string]bool{"server": false, "memory": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(2*time.Second))
			if memory {
				s.withoutServer()
			}
			docs := s.documents("inbox", 6)
			out := s.mount("results", "20000")
			args := runArgs("--out", out, "--log-level", "error", "inbox")

			undo := fill(t, out)
			wantFull(t, s.run(args...))
			undo()

			p := s.start(append(args, "--rate", "4/s")...)
			eventually(t, "a document is at the vendor", func() bool { return s.vendor.asked(opPut) > 0 })
			undo = fill(t, out)
			wantFull(t, p.wait())
			undo()

			s.run(args...).want(t, 0)
			for _, doc := range docs {
				wantSuccess(t, s.result(out, doc.name), sensibleAccount, doc)
			}
			s.vendor.wantOnce(t, docs)
		})
	}
}

func wantFull(t *testing.T, r result) {
	t.Helper()
	r.want(t, 3)
	if !strings.Contains(r.stderr, "no space left on device") {
		t.Errorf("it says %q", r.stderr)
	}
}

// TestReadOnlyOut names a folder that cannot be written to.
func TestReadOnlyOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	doc := s.documents("inbox", 1)[0]
	out := s.mount("results", "1000")
	if err := syscall.Mount("", out, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	wantComplaint(t, s.run(runArgs("--out", out, doc.path)...), 3, "--out cannot be written: read-only file system")
	wantComplaint(t, s.run(runArgs("--out", filepath.Join(out, "below"), doc.path)...), 3, "--out cannot be written: read-only file system")
}

// TestAPIWithoutRoom fills first the document store and then Redis under a running
// service. What is not accepted is refused as something to try again, and the same
// request is accepted, once, when there is room.
func TestAPIWithoutRoom(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	data := s.mount("data", "8000")
	up := s.start(s.shared("up", "--listen", "127.0.0.1:0")...)
	path := up.saysWhere() + "/v1/extractions?wait=60s&type=tax_forms&account=" + sensibleAccount
	docs := s.documents("inbox", 2)
	rdb := s.redis.Client()
	maxmemory := func(limit string) {
		t.Helper()
		if err := rdb.ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i, trouble := range []func() (undo func()){
		func() func() { return fill(t, data) },
		func() func() { maxmemory("1"); return func() { maxmemory("0") } },
	} {
		body := []byte(s.read(filepath.Join("inbox", docs[i].name)))
		key := []string{"Idempotency-Key", strconv.Itoa(i)}
		undo := trouble()
		if v, code := postDocument(t, path, body, key...); code != http.StatusServiceUnavailable || v["code"] != "unavailable" {
			t.Errorf("without room: %d %v", code, v)
		}
		undo()
		first, code := postDocument(t, path, body, key...)
		if code != http.StatusOK || first["status"] != "SUCCESS" {
			t.Errorf("with room: %d %v", code, first)
		}
		if again, _ := postDocument(t, path, body, key...); again["id"] != first["id"] {
			t.Errorf("repeated: %v, want %v", again["id"], first["id"])
		}
	}
	s.vendor.wantOnce(t, docs)
}
