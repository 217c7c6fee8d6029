package main

import (
	"strings"

	"github.com/extractq/extractq/extraction"
)

// failureText is a failure in one line: what happened, what the vendor said of
// it, and what to do where that is known.
func failureText(f *extraction.Failure) string {
	text := f.Message
	said := extraction.Said(f.Details["vendor"])
	if said != "" && !strings.Contains(text, said) {
		text += ": " + said
	}
	if strings.Contains(strings.ToLower(said), "password") {
		text += "; remove the password and submit it again"
	}
	return text
}
