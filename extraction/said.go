package extraction

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// maxSaid bounds how many bytes of a vendor's answer are shown in a line.
const maxSaid = 300

// Said finds the message in a vendor's answer, which is nil, a string or a JSON value.
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

// Explain returns an error as one line, including the vendor's message if it answered. The
// provider has redacted that message.
func Explain(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*Error](err); ok {
		if said := Said(e.Vendor); said != "" && !strings.Contains(text, said) {
			text += ": " + said
		}
	}
	return text
}

// short cuts a text to maxSaid bytes.
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
