package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// The size of a secret, as Standard Webhooks requires.
const (
	minSecret = 24
	maxSecret = 64
)

// errSecret describes a valid secret without repeating the invalid one.
var errSecret = fmt.Errorf(`want "whsec_" and base64 of %d to %d bytes, as "echo whsec_$(openssl rand -base64 32)" prints it`, minSecret, maxSecret)

// keyring holds the secrets that callbacks are signed with.
type keyring struct {
	common [][]byte            // The current secret, then the previous one.
	byKey  map[string][][]byte // For all keys; nil for a key without secrets of its own.
}

// newKeyring decodes all secrets; its error names the settings of the invalid ones.
func newKeyring(secret, previous string, byKey map[string]KeySecret) (*keyring, error) {
	k := &keyring{byKey: make(map[string][][]byte, len(byKey))}
	var problems []error
	read := func(setting, s string) [][]byte {
		if s == "" {
			return nil
		}
		raw, err := decodeSecret(s)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", setting, err))
			return nil
		}
		return [][]byte{raw}
	}
	k.common = read("callbacks.secret", secret)
	if secret == "" && previous != "" {
		problems = append(problems, errors.New("callbacks.previous_secret: it is the one before callbacks.secret, and there is none"))
	}
	if old := read("callbacks.previous_secret", previous); previous != secret {
		k.common = append(k.common, old...)
	}
	for name, s := range byKey {
		setting := "api.keys." + name + "."
		own := read(setting+"callback_secret", s.Secret)
		if s.Secret == "" && s.Previous != "" {
			problems = append(problems, fmt.Errorf("%sprevious_callback_secret: it is the one before callback_secret, and there is none", setting))
		}
		if old := read(setting+"previous_callback_secret", s.Previous); s.Previous != s.Secret {
			own = append(own, old...)
		}
		k.byKey[name] = own
	}
	// Map order is random; a message is sorted.
	slices.SortStableFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return k, errors.Join(problems...)
}

// decodeSecret is the key that a whsec_ text encodes.
func decodeSecret(s string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(s, "whsec_")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(raw) < minSecret || len(raw) > maxSecret {
		return nil, errSecret
	}
	return raw, nil
}

// knows reports whether there is a key of that name. Callbacks without a key are signed
// with the common secrets.
func (k *keyring) knows(key string) bool {
	_, ok := k.byKey[key]
	return ok || key == ""
}

// sign sets the headers of Standard Webhooks, one signature for each secret. A key's own
// secret replaces the common ones: a producer that knows only its own cannot forge
// callbacks to others. Without a secret there is no signature.
func (k *keyring) sign(h http.Header, key, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	h.Set(headerID, id)
	h.Set(headerTimestamp, timestamp)
	secrets := k.byKey[key]
	if secrets == nil {
		secrets = k.common
	}
	var signatures []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(signatures) > 0 {
		h.Set(headerSignature, strings.Join(signatures, " "))
	}
}
