package vendorhttp

import "strings"

// BareKey is an API key without the scheme that dashboards show before it and
// people copy along: "Bearer KEY" and "KEY" are the same key.
func BareKey(key, scheme string) string {
	key = strings.TrimSpace(key)
	if before, rest, _ := strings.Cut(key, " "); strings.EqualFold(before, scheme) {
		return strings.TrimSpace(rest)
	}
	return key
}
