package main

import (
	"bufio"
	"bytes"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxLine is the longest line of a list.
const maxLine = 64 << 10

// The entries of a list of paths end with a line, or, as find -print0 writes them, with a
// NUL: then a name may have line ends in it. The first pathAhead bytes, more than the
// longest path, tell.
const pathAhead = 8 << 10

// Ids have neither in them. A few bytes are enough, and no slow writer is waited for.
const idsAhead = 3

// newLines reads a list, one entry a line, in UTF-8 or UTF-16. A byte order mark is no part
// of it. The first ahead bytes, pathAhead or idsAhead, tell what kind of list it is.
func newLines(r io.Reader, ahead int) *bufio.Scanner {
	in := bufio.NewReaderSize(r, max(ahead, 16))
	head, _ := in.Peek(ahead) // Its error comes again with the reading.
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3) // They are there.
	}
	split := bufio.ScanLines
	text := io.Reader(in)
	switch order, is16 := utf16Order(head); {
	case is16:
		text = transform.NewReader(in, unicode.UTF16(order, unicode.UseBOM).NewDecoder())
	case ahead == idsAhead:
		split = splitAt("\n\x00")
	case bytes.IndexByte(head, 0) >= 0:
		split = splitAt("\x00")
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	lines.Split(split)
	return lines
}

// utf16Order reports whether a text is in UTF-16, by its byte order mark, or because every
// other byte is 0, as no list of paths has it.
func utf16Order(head []byte) (unicode.Endianness, bool) {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return unicode.LittleEndian, true
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return unicode.BigEndian, true
	case len(head) < 16:
		return unicode.LittleEndian, false
	}
	zero := [2]bool{true, true}
	for i, b := range head[:16] {
		zero[i%2] = zero[i%2] && b == 0
	}
	if zero[0] {
		return unicode.BigEndian, !zero[1]
	}
	return unicode.LittleEndian, zero[1]
}

// splitAt ends an entry at any of the characters, and drops the \r before one.
func splitAt(ends string) bufio.SplitFunc {
	return func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexAny(data, ends); i >= 0 {
			if data[i] == '\n' {
				return i + 1, bytes.TrimSuffix(data[:i], []byte("\r")), nil
			}
			return i + 1, data[:i], nil
		}
		if atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	}
}
