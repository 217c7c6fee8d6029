package main

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
		state                      health
		says                       string
	}{
		"no public url":   {"", "sensible", long, healthNote, "api.public_url is not"},
		"short token":     {"https://x.example", "sensible", "t0ken", healthNote, "can be guessed"},
		"in the clear":    {"http://x.example", "sensible", long, healthNote, "not https"},
		"on this machine": {"http://127.0.0.1:80", "sensible", long, healthOK, "is told to call http://127.0.0.1:80/v1/hooks/acme/HOOK_TOKEN"},
		"sensible":        {"https://x.example", "sensible", long, healthOK, "is told to call https://x.example/v1/hooks/acme/HOOK_TOKEN"},
		"typless":         {"https://x.example", "typless", long, healthOK, "enter https://x.example/v1/hooks/acme/HOOK_TOKEN in Typless's dashboard"},
	} {
		state, says := judgeHook(tt.publicURL, config.Account{Name: "acme", Provider: tt.provider, HookToken: config.NewSecret(tt.token)})
		if state != tt.state || !strings.Contains(says, tt.says) || strings.Contains(says, tt.token) {
			t.Errorf("%s: %s %q, want %s and %q", name, state, says, tt.state, tt.says)
		}
	}
}

// A server's workers tell the vendor where to call; without an address or a token
// there is nothing to tell, and run never does.
func TestHookURL(t *testing.T) {
	t.Parallel()
	with := config.Account{Name: "acme", Provider: "sensible", APIKey: config.NewSecret("k"), HookToken: config.NewSecret("t0ken")}
	without := with
	without.HookToken = config.Secret{}
	for _, tt := range []struct {
		publicURL string
		account   config.Account
		want      string
	}{
		{"https://x.example/q", with, "https://x.example/q/v1/hooks/acme/t0ken"},
		{"", with, ""},
		{"https://x.example", without, ""},
	} {
		cfg := config.Default()
		cfg.API.PublicURL = tt.publicURL
		got, err := serverAccounts(settings{Config: cfg}, []config.Account{tt.account}, nil)
		if err != nil || got[0].HookURL != tt.want {
			t.Errorf("with %q: %q, %v, want %q", tt.publicURL, got[0].HookURL, err, tt.want)
		}
	}
	if own, err := workerAccounts([]config.Account{with}, nil); err != nil || own[0].HookURL != "" {
		t.Errorf("run tells the vendor of a webhook that nobody takes: %v", err)
	}
}
