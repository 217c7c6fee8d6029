package extraction

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// An id is found again in every name that a vendor takes, and a vendor's own name gives an id
// or nothing.
func FuzzToken(f *testing.F) {
	const id = "01JDZ0000000000000000000AB"
	f.Add("1040.pdf")
	f.Add("1040.pdf~")
	f.Add("a~01JDZ0000000000000000000XY.tar.gz")
	f.Add(strings.Repeat("ü", 300) + ".~")
	f.Fuzz(func(t *testing.T, name string) {
		if got := TokenID(name); got != "" && len(got) != tokenLength {
			t.Errorf("TokenID(%q) = %q", name, got)
		}
		sent := TokenName(name, id)
		if TokenID(sent) != id {
			t.Errorf("TokenID(%q) = %q, want %q", sent, TokenID(sent), id)
		}
		if len(sent) > maxVendorName || utf8.ValidString(name) && !utf8.ValidString(sent) {
			t.Errorf("TokenName(%q) = %q of %d bytes", name, sent, len(sent))
		}
	})
}
