//go:build unix

package results

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// TestResultOfItsOwnPath distinguishes an error of one result's path from one of all of --out.
func TestResultOfItsOwnPath(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if err := os.MkdirAll(filepath.Join(out, "dir.json", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "sub"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a folder stands there": "dir.json", "a file is where a folder is needed": "sub/x.json"} {
		if err := Write(filepath.Join(out, path), extraction.Extraction{}, nil); !IsOfPath(err) {
			t.Errorf("%s: %v, want it to be about that path", name, err)
		}
	}
	if IsOfPath(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}) || IsOfPath(nil) {
		t.Error("a full disk is taken for the error of one path")
	}
}

// TestResultIsItsOwnersOnly: results hold what documents hold, whatever the umask lets through.
func TestResultIsItsOwnersOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sub", "a.pdf.json")
	for range 2 { // The second replaces a file.
		if err := Write(path, extraction.Extraction{ID: "01A", Status: extraction.StatusSuccess}, nil); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s has the mode %v, want %v", filepath.Base(name), got, want)
			}
		}
	}
}
