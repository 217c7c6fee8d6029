package app

import (
	"log/slog"
	"net/url"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/serve"
)

// InClear reports whether the account's key and its documents cross a network without
// encryption. The key of a sandbox is worth nothing.
func InClear(a config.Account) bool {
	u, err := url.Parse(a.BaseURL)
	return err == nil && u.Scheme == "http" && !serve.IsLoopback(u.Host) && a.Provider != SandboxProvider
}

// warnInClear logs the accounts for which InClear is true.
func warnInClear(log *slog.Logger, accounts []config.Account) {
	for _, a := range accounts {
		if InClear(a) {
			log.Warn("the key and the documents of an account go over the network without encryption: give its base_url https",
				slog.String("account", a.Name), slog.String("base_url", ShownURL(a.BaseURL)))
		}
	}
}
