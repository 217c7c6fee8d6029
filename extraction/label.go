package extraction

import (
	"unicode"
	"unicode/utf8"
)

// ValidLabel reports whether a text may name something: a document, a type, a customer,
// a key of metadata. It is UTF-8 without control characters and without what changes the
// direction of the text around it, which would show another name than it is.
func ValidLabel(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if Deceptive(r) {
			return false
		}
	}
	return true
}

// Deceptive reports whether a character is a control character, ends a line, or changes
// the direction of the text around it.
func Deceptive(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}
