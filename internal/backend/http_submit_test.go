package backend

import (
	"testing"

	"github.com/extractq/extractq/internal/intake"
)

// A file may have any name. Over the API it has a mark in place of what the API refuses.
func TestSentName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"請求書 1.pdf": "請求書 1.pdf", "tab\tand\x1b[2J\n\u202efdp.exe": "tab\ufffdand\ufffd[2J\ufffd\ufffdfdp.exe", "a\xff\x00.pdf": "a\ufffd\ufffd.pdf",
	} {
		got := fieldsOf(intake.Submission{Name: name}).Name
		if got != want {
			t.Errorf("%q is sent as %q, want %q", name, got, want)
		}
		if err := intake.CheckName(got); err != nil {
			t.Errorf("%q is sent as %q: %v", name, got, err)
		}
	}
}
