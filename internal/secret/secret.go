// Package secret hides what must not be shown: keys, passwords, tokens.
package secret

import (
	"fmt"
	"log/slog"
	"unique"
)

// hidden is what is shown in place of a secret.
const hidden = "[secret]"

// Secret is a string that shows itself only through Reveal: every way of
// printing, logging or encoding it gives a placeholder. Two secrets are == when
// their strings are. The string is behind a handle, because the fmt package
// prints the unexported fields of other people's types without asking them.
type Secret struct{ handle unique.Handle[string] }

// New hides s. The empty string is the zero Secret.
func New(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{unique.Make(s)}
}

// Reveal returns the string. Call it where the secret is used, not earlier.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.handle.Value()
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s == Secret{} }

// Equal reports whether both are the same secret.
func (s Secret) Equal(o Secret) bool { return s == o }

// String gives a placeholder, and nothing where there is no secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return hidden
}

// GoString gives the placeholder for %#v.
func (s Secret) GoString() string { return fmt.Sprintf("secret.Secret(%q)", s.String()) }

// Format gives the placeholder for every verb, %x and %d too.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = f.Write([]byte(text))
}

// MarshalText gives the placeholder to encoders, as a value and as a map key.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON gives the placeholder.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// LogValue gives the placeholder to slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
