package doctor

import (
	"strings"
	"testing"

	"github.com/extractq/extractq/config"
)

func TestJudgeHook(t *testing.T) {
	t.Parallel()
	const long = "0123456789abcdef0123"
	for name, tt := range map[string]struct {
		publicURL, provider, token string
		state                      State
		says                       string
	}{
		"no public url":   {"", "sensible", long, Note, "api.public_url is not"},
		"short token":     {"https://x.example", "sensible", "t0ken", Note, "can be guessed"},
		"in the clear":    {"http://x.example", "sensible", long, Note, "not https"},
		"on this machine": {"http://127.0.0.1:80", "sensible", long, OK, "is told to call http://127.0.0.1:80/v1/hooks/acme/HOOK_TOKEN"},
		"sensible":        {"https://x.example", "sensible", long, OK, "is told to call https://x.example/v1/hooks/acme/HOOK_TOKEN"},
		"typless":         {"https://x.example", "typless", long, OK, "enter https://x.example/v1/hooks/acme/HOOK_TOKEN in Typless's dashboard"},
	} {
		state, says := JudgeHook(tt.publicURL, config.Account{Name: "acme", Provider: tt.provider, HookToken: config.NewSecret(tt.token)})
		if state != tt.state || !strings.Contains(says, tt.says) || strings.Contains(says, tt.token) {
			t.Errorf("%s: %s %q, want %s and %q", name, state, says, tt.state, tt.says)
		}
	}
}
