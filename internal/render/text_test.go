package render

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/extractq/extractq/extraction"
)

func TestFailureText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 200)
	for name, test := range map[string]struct {
		vendor any
		want   string
	}{
		"nothing":      {nil, "it failed"},
		"a sentence":   {"bad\n  scan", "it failed: bad scan"},
		"an error":     {map[string]any{"error": "bad scan", "errors": []any{"x"}}, "it failed: bad scan"},
		"a list":       {map[string]any{"errors": []any{map[string]any{"message": "bad scan"}}}, "it failed: bad scan"},
		"nested":       {map[string]any{"error": map[string]any{"message": "bad scan"}}, "it failed: bad scan"},
		"the same":     {"it failed", "it failed"},
		"a number":     {12, "it failed"},
		"a password":   {map[string]any{"message": "File is Password protected"}, "it failed: File is Password protected; remove the password and submit it again"},
		"a whole page": {long, "it failed: " + strings.Repeat("ä", 150) + "…"},
	} {
		got := FailureText(extraction.NewFailure(extraction.CodeVendorFailed, "it failed", test.vendor))
		if got != test.want || !utf8.ValidString(got) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 8_581_740_000: "8.6 GB", 5e15: "5000.0 TB",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}
