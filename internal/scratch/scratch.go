// Package scratch makes temporary files that nothing has to clean up.
package scratch

import "os"

// File returns a file in the temporary folder. It has no name any more, so it goes with
// the process, however that ends.
func File() (*os.File, error) {
	f, err := os.CreateTemp("", "extractq-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name())
	return f, nil
}
