package config

import (
	"testing"
)

func TestAccount(t *testing.T) {
	t.Parallel()
	a := Account{Name: "a", Provider: "sensible"}
	b := Account{Name: "b", Provider: "sensible"}
	c := Account{Name: "c", Provider: "typless"}
	for name, tt := range map[string]struct {
		accounts       []Account
		name, provider string
		want, wantErr  string
	}{
		"by name":         {[]Account{a, b}, "b", "", "b", ""},
		"the only one":    {[]Account{a}, "", "", "a", ""},
		"by provider":     {[]Account{a, b, c}, "", "typless", "c", ""},
		"by both":         {[]Account{a, b, c}, "a", "sensible", "a", ""},
		"keyless":         {[]Account{a}, "", "sandbox", "sandbox", ""},
		"keyless alone":   {nil, "", "sandbox", "sandbox", ""},
		"keyless by name": {nil, "sandbox", "sandbox", "sandbox", ""},

		"several":             {[]Account{a, b}, "", "", "", "there are several accounts: choose one with --account: a (sensible), b (sensible)"},
		"several of provider": {[]Account{a, b, c}, "", "sensible", "", "provider sensible has several accounts: choose one with --account: a (sensible), b (sensible)"},
		"unknown name":        {[]Account{a, c}, "x", "", "", `no account is called "x": the accounts are a (sensible), c (typless)`},
		"unknown provider":    {[]Account{a}, "", "acme", "", `--provider: unknown provider "acme": want sandbox, sensible or typless`},
		"none of provider":    {[]Account{a}, "", "typless", "", "no account has provider typless: the accounts are a (sensible)"},
		"other provider":      {[]Account{a, c}, "a", "typless", "", `no account "a" has provider typless: the accounts are a (sensible), c (typless)`},
		"none at all":         {nil, "", "", "", "no account is configured: set SENSIBLE_API_KEY or TYPLESS_API_KEY, write an accounts section into extractq.yaml or try it with --provider sandbox"},
		"none, provider":      {nil, "", "typless", "", "no account is configured: set TYPLESS_API_KEY, write an accounts section into extractq.yaml or try it with --provider sandbox"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := &Config{Accounts: tt.accounts, providers: options(nil).Providers}
			got, err := cfg.Account(tt.name, tt.provider)
			if got.Name != tt.want || errText(err) != tt.wantErr {
				t.Errorf("Account(%q, %q) = %q, %v, want %q, %s", tt.name, tt.provider, got.Name, err, tt.want, tt.wantErr)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
