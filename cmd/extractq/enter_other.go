//go:build !unix

package main

import "os"

// foreground reports whether this process may read the terminal.
func foreground(*os.File) bool { return true }
