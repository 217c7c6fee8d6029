package config

import (
	"strings"
	"testing"
)

// FuzzParse looks for a file that ends the process, and for an error that
// shows a value.
func FuzzParse(f *testing.F) {
	const secret = "sk_live_51H8x"
	f.Add(complete)
	f.Add("accounts:\n  a: &a\n    <<: [*a, *a]\n    api_key: ${KEY}\n")
	f.Add("accounts: {a: {rate: !!str ${KEY}, provider: |\n ${KEY}\n}}")
	f.Add("- ? [a]\n  : !!map {b: *c}\n--- %\n...\n")
	f.Fuzz(func(t *testing.T, source string) {
		if strings.Contains(source, "file:") || strings.Contains(source, secret) {
			t.Skip()
		}
		_, err := parse("f.yaml", []byte(source), options(map[string]string{"KEY": secret}))
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the secret: %v", err)
		}
	})
}
