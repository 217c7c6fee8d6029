//go:build unix

package documents

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/extractq/extractq/extraction"
)

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
		document: func(s Source) error { t.Errorf("%s is taken for a document", s.Name); return nil },
		skipped:  func() { skipped++ },
		trouble:  func(_ string, err error) error { return err },
	})
	if err != nil || skipped != 2 {
		t.Errorf("walk = %v, %d skipped, want 2", err, skipped)
	}
	if d, err := new(Opener).Open(t.Context(), Source{Path: pipe, Name: "pipe"}); err == nil {
		d.Close()
		t.Error("a FIFO is opened as a document")
	}
}

// TestTooLargeBySize knows a document that is too large without reading it.
func TestTooLargeBySize(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "huge.pdf")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 6<<30); err != nil {
		t.Fatal(err)
	}
	_, err := (&Opener{Limit: 100 << 20}).Open(t.Context(), Source{Path: path, Name: "huge.pdf"})
	if err == nil || CodeOf(err) != extraction.CodeDocumentTooLarge || !strings.Contains(err.Error(), "api.max_document") {
		t.Errorf("Open = %v, want it to name the setting", err)
	}
}

// TestOwnOutputIsNoInput skips the file that is standard output.
func TestOwnOutputIsNoInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "results.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	stdout := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWalkOfStdout$")
	stdout.Env, stdout.Stdout = append(os.Environ(), "WALK_TEST_DIR="+dir), file
	if err := stdout.Run(); err != nil {
		t.Errorf("the walk took its own output: %v", err)
	}
}

// TestWalkOfStdout is no test: it is the process whose output is a file.
func TestWalkOfStdout(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("WALK_TEST_DIR")
	if dir == "" {
		t.Skip("run by TestOwnOutputIsNoInput")
	}
	err := walk(dir, nil, visitor{
		document: func(s Source) error { return errors.New(s.Name) },
		skipped:  func() {}, trouble: func(_ string, err error) error { return err },
	})
	if err != nil {
		t.Error(err)
	}
}
