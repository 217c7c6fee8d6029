package main

import (
	"bufio"
	"io"
	"os"
	"slices"

	"golang.org/x/term"
)

// enterKeys returns a channel that receives each press of Enter; nil unless a person sits at
// the terminal that in is, this process is in its foreground, and no document comes from it.
func enterKeys(in io.Reader, args []string) <-chan struct{} {
	f, ok := in.(*os.File)
	if !ok || slices.Contains(args, "-") || slices.Contains(args, "@-") || !term.IsTerminal(int(f.Fd())) || !foreground(f) {
		return nil
	}
	pressed := make(chan struct{}, 1)
	go func() { // Ends with the process: a read of a terminal cannot be given up.
		lines := bufio.NewReader(f)
		for {
			if _, err := lines.ReadSlice('\n'); err != nil {
				return
			}
			select {
			case pressed <- struct{}{}:
			default:
			}
		}
	}()
	return pressed
}
