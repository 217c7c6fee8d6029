//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// TestResultOfItsOwnPath tells trouble with one result's path from trouble with --out.
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
		if err := writeResult(filepath.Join(out, path), extraction.Extraction{}); !isOfPath(err) {
			t.Errorf("%s: %v, want it to be that document's", name, err)
		}
	}
	if isOfPath(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}) || isOfPath(nil) {
		t.Error("a full disk is taken for one document's trouble")
	}
}

// TestLinkToAFIFO skips a link that leads to no file, and never waits for a writer.
func TestLinkToAFIFO(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pipe, filepath.Join(dir, "x.pdf")); err != nil {
		t.Fatal(err)
	}
	skipped := 0
	err := walk(dir, nil, visitor{
		document: func(s source) error { t.Errorf("%s is taken for a document", s.name); return nil },
		skipped:  func() { skipped++ },
		trouble:  func(_ string, err error) error { return err },
	})
	if err != nil || skipped != 2 {
		t.Errorf("walk = %v, %d skipped, want 2", err, skipped)
	}
	if d, err := new(reader).Open(t.Context(), source{path: pipe, name: "pipe"}); err == nil {
		d.Close()
		t.Error("a FIFO is opened as a document")
	}
}
