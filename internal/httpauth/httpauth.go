// Package httpauth is what the access checks of the HTTP API and of the dashboard have in
// common: keys that are known by their digests, the key that a request brings, and requests
// that the pages of other sites make.
package httpauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
)

// Digest is what is kept of a key's secret. All digests have the same length, so that
// comparing them takes the same time whatever was sent.
func Digest(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }

// Find returns the key with the digest of a secret, the last of several, or nil. It compares
// all of them, also after it has found one: the time does not say which.
func Find[K any](keys []K, digest func(K) [sha256.Size]byte, secret string) *K {
	sent := Digest(secret)
	var found *K
	for i, k := range keys {
		if d := digest(k); subtle.ConstantTimeCompare(d[:], sent[:]) == 1 {
			found = &keys[i]
		}
	}
	return found
}

// Bearer is the key that a request brings in its Authorization header.
func Bearer(r *http.Request) (secret string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// OtherOrigin reports whether a request says that a page of another origin makes it.
func OtherOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// OtherSite reports whether the browser says that a page of another site makes a request, or
// has a link that leads to it.
func OtherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return true
}
