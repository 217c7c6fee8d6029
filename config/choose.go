package config

import (
	"fmt"
	"slices"
	"strings"
)

// Account finds the account that a command means by --account and --provider,
// either of which may be empty: an account by its name, the only account there
// is, the only one of a provider, or the account that a keyless provider needs
// no configuration for.
func (c *Config) Account(name, provider string) (Account, error) {
	i := slices.IndexFunc(c.providers, func(p Provider) bool { return p.Name == provider })
	if provider != "" && i < 0 {
		return Account{}, fmt.Errorf("--provider: unknown provider %q: want %s", provider, orList(names(c.providers)))
	}
	var found []Account
	for _, a := range c.Accounts {
		if (name == "" || a.Name == name) && (provider == "" || a.Provider == provider) {
			found = append(found, a)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1 && provider != "":
		return Account{}, fmt.Errorf("provider %s has several accounts: choose one with --account: %s", provider, accountList(found))
	case len(found) > 1:
		return Account{}, fmt.Errorf("there are several accounts: choose one with --account: %s", accountList(found))
	case i >= 0 && c.providers[i].Keyless && (name == "" || name == provider):
		return defaultAccount(provider, provider), nil
	case len(c.Accounts) == 0:
		return Account{}, fmt.Errorf("no account is configured: %s", c.firstAccount(provider))
	case name == "":
		return Account{}, fmt.Errorf("no account has provider %s: the accounts are %s", provider, accountList(c.Accounts))
	case provider != "":
		return Account{}, fmt.Errorf("no account %q has provider %s: the accounts are %s", name, provider, accountList(c.Accounts))
	}
	return Account{}, fmt.Errorf("no account is called %q: the accounts are %s", name, accountList(c.Accounts))
}

// firstAccount says how to get an account where there is none.
func (c *Config) firstAccount(provider string) string {
	var variables, keyless []string
	for _, p := range c.providers {
		if p.KeyEnv != "" && (provider == "" || p.Name == provider) {
			variables = append(variables, p.KeyEnv)
		}
		if p.Keyless {
			keyless = append(keyless, "--provider "+p.Name)
		}
	}
	slices.Sort(variables)
	var ways []string
	if len(variables) > 0 {
		ways = append(ways, "set "+orList(variables))
	}
	ways = append(ways, "write an accounts section into "+DefaultFile)
	if len(keyless) > 0 {
		ways = append(ways, "try it with "+orList(keyless))
	}
	return orList(ways)
}

// accountList gives "acme (sensible), beta (typless)".
func accountList(accounts []Account) string {
	all := make([]string, len(accounts))
	for i, a := range accounts {
		all[i] = a.Name
		if a.Provider != "" {
			all[i] += " (" + a.Provider + ")"
		}
	}
	return strings.Join(all, ", ")
}

func unknownAccount(accounts []Account) string {
	if len(accounts) == 0 {
		return "is no account, for there are none"
	}
	return "is no account: there are " + accountList(accounts)
}
