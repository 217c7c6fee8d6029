package extraction

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// maxSaid bounds how much of what a vendor said is shown in a line, in bytes.
const maxSaid = 300

// Said finds the sentence in a vendor's answer, which is nil, a string or a JSON value.
func Said(vendor any) string {
	switch x := vendor.(type) {
	case string:
		return short(strings.Join(strings.Fields(x), " "))
	case []any:
		for _, e := range x {
			if s := Said(e); s != "" {
				return s
			}
		}
	case map[string]any:
		for _, key := range []string{"message", "error", "detail", "details", "errors", "reason", "title", "description"} {
			if s := Said(x[key]); s != "" {
				return s
			}
		}
	}
	return ""
}

// Explain is an error in one line, with what the vendor said where it has answered. The
// provider has redacted that.
func Explain(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*Error](err); ok {
		if said := Said(e.Vendor); said != "" && !strings.Contains(text, said) {
			text += ": " + said
		}
	}
	return text
}

// short cuts a text to what fits in a line.
func short(s string) string {
	if len(s) <= maxSaid {
		return s
	}
	cut := maxSaid
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
