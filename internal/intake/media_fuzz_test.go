package intake

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// A document's media type is one, whatever the name and the bytes say, and a PDF is never
// taken under the name of an image.
func FuzzMediaType(f *testing.F) {
	f.Add("application/pdf; x=1", "a.pdf", []byte("\xef\xbb\xbf%PDF-1.7"))
	f.Add("image/png", "a.pdf", []byte("%PDF-1.7"))
	f.Add("", "a.docx", []byte("PK\x03\x04"))
	f.Add("text", "", []byte("II*\x00"))
	f.Fuzz(func(t *testing.T, declared, name string, head []byte) {
		got, err := settleType(declared, name, head)
		if err != nil {
			if !errors.Is(err, ErrMediaType) && !errors.Is(err, ErrMismatch) {
				t.Errorf("settleType = %v", err)
			}
			return
		}
		if !strings.Contains(got, "/") {
			t.Errorf("settleType(%q, %q) = %q", declared, name, got)
		}
		if bytes.HasPrefix(head, []byte("%PDF-")) && strings.HasPrefix(got, "image/") {
			t.Errorf("a PDF is taken for %q", got)
		}
	})
}
