package main

import (
	"github.com/extractq/extractq/api"
	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/metrics"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/worker"
)

// hookURL is where the vendor of an account calls; empty where it cannot, or may not.
// It is a secret.
func hookURL(publicURL string, a config.Account) string {
	if publicURL == "" || a.HookToken.IsZero() {
		return ""
	}
	return publicURL + "/v1/hooks/" + a.Name + "/" + a.HookToken.Reveal()
}

// hookTokens are the secrets of the webhooks as the API knows them.
func hookTokens(cfg settings) api.HookTokens {
	out := api.HookTokens{}
	for _, a := range cfg.Accounts {
		if !a.HookToken.IsZero() {
			out[a.Name] = api.Digest(a.HookToken.Reveal())
		}
	}
	return out
}

// serverAccounts are the accounts as the worker of a server role knows them: beside
// it there is an API that takes webhooks, and producers that know only what it registers.
// What run brings along has none of these. started are the settings that the process was
// started with, for what only a restart changes.
func serverAccounts(started settings, accounts []config.Account, m *metrics.Metrics) ([]worker.Account, error) {
	out, err := workerAccounts(accounts, m)
	if err != nil {
		return nil, err
	}
	for i, a := range accounts {
		out[i].HookURL = hookURL(started.API.PublicURL, a)
		out[i].Registration = registration(started, a, out[i].Provider)
	}
	return out, nil
}

// registration is what a worker says of its account.
func registration(cfg settings, a config.Account, p extraction.Provider) store.Registration {
	return store.Registration{
		Provider: a.Provider, FetchesURL: p.Traits().FetchesURL, Rate: float64(a.Rate),
		MaxDocument: cfg.API.MaxDocument, MaxBacklog: a.MaxBacklog,
		FetchHosts: cfg.Fetch.AllowHosts, CallbackHosts: cfg.Callbacks.AllowHosts,
		Kept: store.Kept{Record: cfg.Data.Retention, Document: cfg.Data.DocumentRetention},
	}
}
