package found

import (
	"fmt"
	"unicode/utf8"
)

// compact writes valid JSON without the white space between its values. Invalid UTF-8
// becomes U+FFFD, once per run of invalid bytes. With escape, the characters that are
// special in HTML are written as escapes.
func (w *Writer) compact(raw []byte, escape bool) {
	from, inText, replaced := 0, false, false
	// instead writes what is pending, and s in place of the next n bytes.
	instead := func(at, n int, s string) {
		w.bytes(raw[from:at])
		w.text(s)
		from = at + n
	}
	for i := 0; i < len(raw) && w.err == nil; {
		c := raw[i]
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRune(raw[i:]); r == utf8.RuneError && size == 1 {
				s := "\uFFFD"
				if replaced {
					s = ""
				}
				instead(i, 1, s)
				replaced = true
				i++
				continue
			} else if escape && (r == '\u2028' || r == '\u2029') {
				instead(i, size, fmt.Sprintf(`\u%04x`, r))
			}
		}
		replaced = false
		switch {
		case inText && c == '\\':
			size = 2 // What it escapes is one byte, or the u of more that mean nothing here.
		case c == '"':
			inText = !inText
		case !inText && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			instead(i, 1, "")
		case escape && (c == '<' || c == '>' || c == '&'):
			instead(i, 1, fmt.Sprintf(`\u%04x`, c))
		}
		i += size
	}
	w.bytes(raw[min(from, len(raw)):])
}
