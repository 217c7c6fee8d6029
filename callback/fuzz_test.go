package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A secret is taken or refused without being shown, and what is signed with it is verified
// by the standard's own steps, and not for another body, id or time.
func FuzzSign(f *testing.F) {
	f.Add("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjWo1234", "01JD", []byte(`{"a":1}`))
	f.Add("whsec_", "", []byte(nil))
	f.Add("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjWo1234", "a.b", []byte("."))
	f.Fuzz(func(t *testing.T, secret, id string, body []byte) {
		keys, err := newKeyring(secret, "", nil)
		if err != nil {
			if len(secret) > 12 && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the secret: %v", err)
			}
			return
		}
		h := http.Header{}
		keys.sign(h, "", id, time.Unix(1, 0), body)
		if secret == "" {
			if h.Get(headerSignature) != "" {
				t.Error("signed without a secret")
			}
			return
		}
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		verify := func(text string) bool {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(text))
			return h.Get(headerSignature) == "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
		}
		if !verify(id+".1."+string(body)) || verify(id+".2."+string(body)) || verify(id+".1."+string(body)+"x") {
			t.Errorf("signature %q of %q", h.Get(headerSignature), body)
		}
	})
}
