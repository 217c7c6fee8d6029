package app

import (
	"fmt"
	"time"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
)

// SandboxProvider is the name under which the sandbox can be used as an account.
const SandboxProvider = "sandbox"

// SandboxPath is the path, in a sandbox, of the API that newSandbox speaks.
const SandboxPath = "/sensible/v0"

// Providers are the adapters. A new vendor is one line here.
var Providers = []struct {
	config.Provider

	build func(Process, config.Account) (extraction.Provider, error)
}{
	{config.Provider{Name: sensible.Name, KeyEnv: "SENSIBLE_API_KEY"}, newSensible},
	{config.Provider{Name: typless.Name, KeyEnv: "TYPLESS_API_KEY"}, newTypless},
	{config.Provider{Name: SandboxProvider, Keyless: true}, newSandbox},
}

func newSensible(p Process, a config.Account) (extraction.Provider, error) {
	return sensible.New(sensible.Config{
		APIKey: a.APIKey.Reveal(), BaseURL: a.BaseURL, UserAgent: p.UserAgent(), Secrets: []string{a.HookToken.Reveal()},
		MaxResult: a.MaxResult, Requested: p.requested(a),
	})
}

func newTypless(p Process, a config.Account) (extraction.Provider, error) {
	return typless.New(typless.Config{
		APIKey: a.APIKey.Reveal(), BaseURL: a.BaseURL, UserAgent: p.UserAgent(), MaxResult: a.MaxResult, Requested: p.requested(a),
	})
}

// newSandbox speaks Sensible's dialect to a sandbox, which accepts any key.
func newSandbox(p Process, a config.Account) (extraction.Provider, error) {
	if a.APIKey.IsZero() {
		a.APIKey = config.NewSecret("sandbox")
	}
	return newSensible(p, a)
}

// requested counts the requests to an account's provider.
func (p Process) requested(a config.Account) func(op string, status int, took time.Duration) {
	return func(op string, status int, took time.Duration) { p.Metrics.Requested(a.Name, op, status, took) }
}

// KnownProviders returns what the configuration needs to know about the providers.
func KnownProviders() []config.Provider {
	out := make([]config.Provider, len(Providers))
	for i, p := range Providers {
		out[i] = p.Provider
	}
	return out
}

// NewProvider returns the adapter of one account.
func (p Process) NewProvider(a config.Account) (extraction.Provider, error) {
	for _, known := range Providers {
		if known.Name == a.Provider {
			built, err := known.build(p, a)
			if err != nil {
				return nil, errkind.New(errkind.Usage, fmt.Errorf("account %s: %w", a.Name, err))
			}
			return built, nil
		}
	}
	return nil, errkind.Usagef("account %s: unknown provider %q", a.Name, a.Provider)
}

// AccountNames are the names of the configured accounts.
func AccountNames(accounts []config.Account) []string {
	out := make([]string, len(accounts))
	for i, a := range accounts {
		out[i] = a.Name
	}
	return out
}
