package documents

import (
	"bytes"
	"testing"
)

// A list from anywhere is read in entries of bounded length, each with something in it that
// was in the list.
func FuzzLists(f *testing.F) {
	f.Add([]byte("a.pdf\nb.pdf\r\n"), true)
	f.Add([]byte("a.pdf\x00new\nline.pdf\x00"), true)
	f.Add([]byte("\xff\xfea\x00.\x00p\x00d\x00f\x00\n\x00"), true)
	f.Add([]byte("\xfe\xff\xd8\x00\x00"), false)
	f.Add([]byte("\xef\xbb\xbf01JD\x0001JE\n"), false)
	f.Fuzz(func(t *testing.T, list []byte, paths bool) {
		ahead := IDsAhead
		if paths {
			ahead = PathsAhead
		}
		lines, total := NewLines(bytes.NewReader(list), ahead), 0
		for lines.Scan() {
			if n := len(lines.Bytes()); n > maxLine {
				t.Fatalf("an entry of %d bytes", n)
			}
			if total++; total > len(list) {
				t.Fatalf("%d entries of %d bytes", total, len(list))
			}
		}
	})
}
