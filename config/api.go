package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// API is the HTTP API.
type API struct {
	// Listen is the address, "host:port". Default 127.0.0.1:8080.
	Listen string `reload:"restart"`
	// PublicURL is how producers and vendors reach the API; empty if they do
	// not.
	PublicURL string `reload:"restart"`
	// MaxDocument is the largest document in bytes. Default 100 MiB.
	MaxDocument int64 `reload:"restart"`
	// Keys are sorted by name. With none the API is for this machine only.
	Keys []APIKey
}

// APIKey is what one producer may do.
type APIKey struct {
	// Name identifies the key in logs; it is its key in the file.
	Name string
	// Secret is the bearer token. Required; no two keys share one.
	Secret Secret
	// PreviousSecret is a bearer token of this key as well, during a rotation: the name
	// stays, and with it all that is scoped to the key.
	PreviousSecret Secret
	// Accounts are those the key may use; empty means all.
	Accounts []string
	// Customer is the one tenant the key works for; empty means any.
	Customer string
	// Operator is whether the key may pause and resume accounts.
	Operator bool
	// CallbackSecret signs callbacks of this key's extractions in place of
	// callbacks.secret.
	CallbackSecret Secret
	// PreviousCallbackSecret signs them as well, during a rotation.
	PreviousCallbackSecret Secret
}

func readAPI(a *API, s section, accounts []Account) {
	read(&s, "listen", &a.Listen, ListenAddress)
	read(&s, "public_url", &a.PublicURL, webURL)
	read(&s, "max_document", &a.MaxDocument, ParseBytes)
	keys := s.child("keys")
	for name, k := range keys.children() {
		a.Keys = append(a.Keys, readKey(name, k))
	}
	slices.SortFunc(a.Keys, func(a, b APIKey) int { return strings.Compare(a.Name, b.Name) })
	checkKeys(keys, a.Keys, accounts)
	s.close()
}

// checkKeys reports keys that cannot be told apart, and keys that are limited
// to accounts that do not exist.
func checkKeys(s section, keys []APIKey, accounts []Account) {
	seen := map[Secret]string{}
	for _, k := range keys {
		for _, secret := range []Secret{k.Secret, k.PreviousSecret} {
			if other, ok := seen[secret]; ok && other != k.Name && !secret.IsZero() {
				s.report(k.Name, errors.New("has the same secret as "+s.name(other)))
			}
			seen[secret] = k.Name
		}
		for i, name := range k.Accounts {
			if !slices.ContainsFunc(accounts, func(a Account) bool { return a.Name == name }) {
				key := fmt.Sprintf("%s.accounts[%d]", s.name(k.Name), i)
				s.file.report(s.lineOf(k.Name), key, errors.New(unknownAccount(accounts)))
			}
		}
	}
}

func readKey(name string, s section) APIKey {
	k := APIKey{Name: name}
	if strings.TrimSpace(name) == "" || !printable(name) {
		s.file.report(s.line, s.path, errors.New("want a name with printable characters"))
	}
	if !read(&s, "secret", &k.Secret, header) || k.Secret.IsZero() {
		s.missing("secret", "the secret is missing: "+`write secret: "${NAME}" and set that variable`)
	}
	read(&s, "previous_secret", &k.PreviousSecret, header)
	readList(&s, "accounts", &k.Accounts, text)
	read(&s, "customer", &k.Customer, optional(label))
	read(&s, "operator", &k.Operator, boolean)
	read(&s, "callback_secret", &k.CallbackSecret, signingSecret)
	read(&s, "previous_callback_secret", &k.PreviousCallbackSecret, signingSecret)
	if k.CallbackSecret.IsZero() && !k.PreviousCallbackSecret.IsZero() {
		s.report("previous_callback_secret", errors.New("is the one before callback_secret, and there is none"))
	}
	s.close()
	return k
}
