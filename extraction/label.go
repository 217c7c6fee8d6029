package extraction

import (
	"unicode"
	"unicode/utf8"
)

// ValidLabel reports whether a text can be a label: the name of a document, a type, a
// customer, a key of metadata. It must be UTF-8 without the characters of Deceptive, which
// would display it as another name.
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

// Deceptive reports whether a character is a control character, ends a line, or changes the
// direction of the text around it.
func Deceptive(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}
