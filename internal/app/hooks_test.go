package app

import (
	"testing"

	"github.com/extractq/extractq/config"
)

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
		got, err := Process{Config: cfg}.ServerAccounts([]config.Account{tt.account})
		if err != nil || got[0].HookURL != tt.want {
			t.Errorf("with %q: %q, %v, want %q", tt.publicURL, got[0].HookURL, err, tt.want)
		}
	}
	if own, err := (Process{}).WorkerAccounts([]config.Account{with}); err != nil || own[0].HookURL != "" {
		t.Errorf("run tells the vendor of a webhook without a server: %v", err)
	}
}
