package app

import (
	"github.com/extractq/extractq/api"
	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/httpauth"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/worker"
)

// hookURL is the address that the vendor of an account calls; empty if it cannot or must
// not. It is a secret.
func hookURL(publicURL string, a config.Account) string {
	if publicURL == "" || a.HookToken.IsZero() {
		return ""
	}
	return publicURL + "/v1/hooks/" + a.Name + "/" + a.HookToken.Reveal()
}

// hookTokens are the secrets of the webhooks as the API knows them.
func hookTokens(cfg Process) api.HookTokens {
	out := api.HookTokens{}
	for _, a := range cfg.Accounts {
		if !a.HookToken.IsZero() {
			out[a.Name] = httpauth.Digest(a.HookToken.Reveal())
		}
	}
	return out
}

// ServerAccounts returns accounts for the worker of a server role: an API receives their
// webhooks, and producers know only what the worker registers. The worker of run has
// neither. p is what the process was started with, since only a restart changes some of it.
func (p Process) ServerAccounts(accounts []config.Account) ([]worker.Account, error) {
	out, err := p.WorkerAccounts(accounts)
	if err != nil {
		return nil, err
	}
	for i, a := range accounts {
		out[i].HookURL = hookURL(p.API.PublicURL, a)
		out[i].Registration = Registration(p, a, out[i].Provider)
	}
	return out, nil
}

// Registration is what a worker registers about an account.
func Registration(cfg Process, a config.Account, p extraction.Provider) store.Registration {
	return store.Registration{
		Provider: a.Provider, FetchesURL: p.Traits().FetchesURL, Rate: float64(a.Rate),
		MaxDocument: cfg.API.MaxDocument, MaxBacklog: a.MaxBacklog,
		FetchHosts: cfg.Fetch.AllowHosts, CallbackHosts: cfg.Callbacks.AllowHosts,
		WaitReplicas: cfg.Redis.WaitReplicas,
		Kept:         store.Kept{Record: cfg.Data.Retention, Document: cfg.Data.DocumentRetention},
	}
}
