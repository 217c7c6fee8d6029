package documents

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

// maxLine is the longest line of a list.
const maxLine = 64 << 10

// PathsAhead is for a list of paths. Its entries end with a line or, as find -print0 writes
// them, with a NUL; a name may then contain line ends. The first PathsAhead bytes, more than
// the longest path, show which.
const PathsAhead = 8 << 10

// IDsAhead is for a list of ids, which contain neither. A few bytes are enough, so that
// NewLines does not wait for a slow writer.
const IDsAhead = 3

// NewLines reads a list, one entry a line, in UTF-8 or UTF-16, without its byte order mark.
// The first ahead bytes, PathsAhead or IDsAhead, show what kind of list it is.
func NewLines(r io.Reader, ahead int) *bufio.Scanner {
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
	case ahead == IDsAhead:
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

// EachID calls use with the argument, or with each line of the file that @FILE names (@- is
// stdin), except blank ones and those that begin with #.
func EachID(ctx context.Context, stdin io.Reader, arg string, use func(string) error) error {
	file, ok := strings.CutPrefix(arg, "@")
	if !ok {
		return use(arg)
	}
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return errkind.Usagef("%s: %w", render.Escape(arg), Cause(err))
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	lines := NewLines(NewInterruptible(ctx, in), IDsAhead)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := use(line); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := lines.Err(); err != nil {
		return errkind.Usagef("%s cannot be read: %w", render.Escape(arg), Cause(err))
	}
	return nil
}
