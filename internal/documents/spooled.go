package documents

import (
	"io"
	"io/fs"
	"os"
)

// spooled is a copy, in a temporary file, of what can be read only once.
type spooled struct{ file *os.File }

// Open reads it from its beginning. The caller need not close it.
func (c *spooled) Open() (File, error) {
	info, err := c.file.Stat()
	if err != nil {
		return nil, err
	}
	return reading{io.NewSectionReader(c.file, 0, info.Size()), info}, nil
}

// File is a document's bytes, which can be read again.
type File interface {
	io.ReadSeekCloser
	Stat() (fs.FileInfo, error)
}

// reading is one reading of a copy.
type reading struct {
	*io.SectionReader

	info fs.FileInfo
}

// Stat describes the copy.
func (o reading) Stat() (fs.FileInfo, error) { return o.info, nil }

// Close leaves the copy to its owner.
func (o reading) Close() error { return nil }
