//go:build !unix

package transfer

import (
	"io"
	"os"
)

// mapFile is the content of a file, in memory.
func mapFile(f *os.File, size int64) (b []byte, unmap func(), err error) {
	b = make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, size), b); err != nil {
		return nil, nil, err
	}
	return b, func() {}, nil
}
