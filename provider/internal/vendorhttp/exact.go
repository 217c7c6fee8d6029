package vendorhttp

import (
	"errors"
	"fmt"
	"io"
)

// The errors for a document whose size is not the announced one.
var (
	errShort = errors.New("the document is shorter than its announced size")
	errLong  = errors.New("the document is longer than its announced size")
)

// Exact returns r's bytes if there are exactly n. It holds the last ones back until it has
// seen the end of r, so that a document that turns out longer, or whose reader fails at the
// very end, is never sent completely.
func Exact(r io.ReadCloser, n int64) io.ReadCloser {
	x := &exact{r: r, left: n, size: n}
	if n < 0 {
		x.left, x.err = 0, fmt.Errorf("the document's announced size is %d", n)
	}
	return x
}

type exact struct {
	r    io.ReadCloser
	left int64
	size int64
	err  error
}

// Read implements io.Reader.
func (x *exact) Read(p []byte) (int, error) {
	if x.err != nil {
		return 0, x.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > x.left {
		p = p[:x.left]
	}
	n, err := 0, error(nil)
	if len(p) > 0 {
		n, err = x.r.Read(p)
		x.left -= int64(n)
	}
	switch {
	case err != nil && err != io.EOF: //nolint:errorlint // a wrapped EOF is a failure, not the end
		x.err = err
		return 0, x.err
	case err != nil && x.left > 0:
		x.err = fmt.Errorf("%w: %d of %d bytes are missing", errShort, x.left, x.size)
		return 0, x.err
	case x.left > 0:
		return n, nil
	case err == nil:
		if x.err = x.end(); x.err != nil {
			return 0, x.err
		}
	}
	x.err = io.EOF
	return n, io.EOF
}

// end reads on until the reader reports its end.
func (x *exact) end() error {
	var one [1]byte
	for range 100 {
		n, err := x.r.Read(one[:])
		switch {
		case n > 0:
			return fmt.Errorf("%w of %d bytes", errLong, x.size)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

// Close implements io.Closer.
func (x *exact) Close() error { return x.r.Close() }
