package main

import (
	"io"
	"path/filepath"
	"testing"

	"github.com/extractq/extractq/internal/app"
)

// TestStateDirWithoutHome asks the system where the environment says nothing.
func TestStateDirWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_STATE_HOME", "")
	dir, err := app.StateDir()
	if err == nil && (!filepath.IsAbs(dir) || filepath.Base(dir) != "extractq") {
		t.Errorf("stateDir() = %q", dir)
	}
	if err != nil && report(io.Discard, err) != exitUsage { // A user whom the system does not know.
		t.Errorf("stateDir() = %v", err)
	}
}
