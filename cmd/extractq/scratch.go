package main

import (
	"io"
	"io/fs"
	"os"
)

// copied is what could be read only once, in a scratch file.
type copied struct{ file *os.File }

// Open reads it from its beginning. Nothing is to be closed.
func (c *copied) Open() (file, error) {
	info, err := c.file.Stat()
	if err != nil {
		return nil, err
	}
	return opening{io.NewSectionReader(c.file, 0, info.Size()), info}, nil
}

// file is a document's bytes, which can be read again.
type file interface {
	io.ReadSeekCloser
	Stat() (fs.FileInfo, error)
}

// opening is one reading of a copy.
type opening struct {
	*io.SectionReader

	info fs.FileInfo
}

// Stat says how large it is.
func (o opening) Stat() (fs.FileInfo, error) { return o.info, nil }

// Close leaves the copy to its owner.
func (o opening) Close() error { return nil }
