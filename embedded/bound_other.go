//go:build !linux

package embedded

import "os/exec"

// startBound starts a program that the watch over the scratch folder ends.
func startBound(cmd *exec.Cmd) error { return cmd.Start() }
