package app

import (
	"testing"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/httpauth"
)

// Both secrets of a key that is being changed are the same key: what is scoped to its
// name, and what it may do, stays.
func TestPreviousSecretIsTheSameKey(t *testing.T) {
	t.Parallel()
	cfg := Process{Config: new(config.Config)}
	cfg.API.Keys = []config.APIKey{{
		Name: "billing", Secret: config.NewSecret("new"), PreviousSecret: config.NewSecret("old"),
		Accounts: []string{"acme"}, Customer: "c", Operator: true,
	}, {Name: "other", Secret: config.NewSecret("x")}}
	keys := apiKeys(cfg)
	if len(keys) != 3 {
		t.Fatalf("%d keys, want 3", len(keys))
	}
	for i, secret := range []string{"new", "old"} {
		k := keys[i]
		if k.Name != "billing" || k.Digest != httpauth.Digest(secret) || len(k.Accounts) != 1 || k.Customer != "c" || !k.Operator {
			t.Errorf("%s is %+v", secret, k)
		}
	}
	pages := dashboardKeys(cfg)
	if len(pages) != 3 || pages[1].Name != "billing" || pages[1].Digest != httpauth.Digest("old") || !pages[1].Operator || !pages[1].Limited {
		t.Errorf("the dashboard's keys: %+v", pages)
	}
}
