package main

import (
	"strings"
	"unicode/utf8"

	"github.com/extractq/extractq/extraction"
)

// maxSaid is how much of what a vendor said is shown, in bytes.
const maxSaid = 300

// failureText is a failure in one line: what happened, what the vendor said of
// it, and what to do where that is known.
func failureText(f *extraction.Failure) string {
	text := f.Message
	said := vendorSaid(f.Details["vendor"])
	if said != "" && !strings.Contains(text, said) {
		text += ": " + said
	}
	if strings.Contains(strings.ToLower(said), "password") {
		text += "; remove the password and submit it again"
	}
	return text
}

// vendorSaid finds the sentence in a vendor's answer.
func vendorSaid(v any) string {
	switch x := v.(type) {
	case string:
		return short(strings.Join(strings.Fields(x), " "))
	case []any:
		for _, e := range x {
			if s := vendorSaid(e); s != "" {
				return s
			}
		}
	case map[string]any:
		for _, key := range []string{"message", "error", "detail", "details", "errors", "reason"} {
			if s := vendorSaid(x[key]); s != "" {
				return s
			}
		}
	}
	return ""
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
