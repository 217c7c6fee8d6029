package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/extractq/extractq/api"
	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/httpauth"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/serve"
	"github.com/extractq/extractq/polling"
)

// ServeAPI serves the API until ctx ends. It stops the event streams first, so that the end
// does not wait for them.
func ServeAPI(ctx context.Context, cfg Process, s *APIServer, h http.Handler, listener net.Listener) error {
	defer s.Close()
	defer context.AfterFunc(ctx, s.Stop)()
	return serve.Until(ctx, listener, h, cfg.Log)
}

// CheckListen returns an error if the API may not listen on the address without keys.
func CheckListen(cfg Process, addr net.Addr) error {
	if err := (api.Config{Keys: apiKeys(cfg)}).Admits(addr); err != nil {
		return errkind.Usagef("cannot listen on %s: %w; listen on 127.0.0.1, or configure api.keys", addr, err)
	}
	return nil
}

func apiKeys(cfg Process) []api.Key {
	var out []api.Key
	for _, k := range cfg.API.Keys {
		key := api.Key{
			Name: k.Name, Digest: httpauth.Digest(k.Secret.Reveal()), Accounts: k.Accounts, Customer: k.Customer, Operator: k.Operator,
		}
		out = append(out, key)
		if !k.PreviousSecret.IsZero() { // Both secrets are of the same key.
			key.Digest = httpauth.Digest(k.PreviousSecret.Reveal())
			out = append(out, key)
		}
	}
	return out
}

// APIServer is the HTTP API with its accounts, which a reload changes.
type APIServer struct {
	*api.Server

	accounts atomic.Pointer[[]config.Account]
}

// Reload replaces the accounts and keys.
func (s *APIServer) Reload(next Process) error {
	accounts, err := next.apiAccounts()
	if err != nil {
		return err
	}
	s.accounts.Store(&next.Accounts)
	s.Server.Reload(accounts, apiKeys(next), hookTokens(next))
	return nil
}

// NewAPI builds the HTTP API of this process.
func NewAPI(cfg Process, svc *Services) (*APIServer, error) {
	document, callback, err := intake.URLChecks(cfg.Fetch.AllowHosts, cfg.Callbacks.AllowHosts)
	if err != nil {
		return nil, errkind.New(errkind.Usage, err)
	}
	accounts, err := cfg.apiAccounts()
	if err != nil {
		return nil, err
	}
	s := &APIServer{}
	s.accounts.Store(&cfg.Accounts)
	s.Server = api.New(api.Config{
		Client: svc.Client, Records: svc.Records, Blobs: svc.Blobs, Polls: polling.NewStore(svc.RDB, svc.Records), Accounts: accounts, States: apiStates{NewAccountAdmin(svc, func() []config.Account { return *s.accounts.Load() })},
		Keys: apiKeys(cfg), HookTokens: hookTokens(cfg), MaxDocument: cfg.API.MaxDocument,
		CheckURL: callback, CheckDocumentURL: document,
		Refused: cfg.Metrics.Refused("api"), Version: cfg.Version, PublicURL: cfg.API.PublicURL, Logger: cfg.Log,
	})
	return s, nil
}

// apiAccounts are the accounts as the API knows them.
func (p Process) apiAccounts() ([]api.Account, error) {
	var out []api.Account
	for _, a := range p.Accounts {
		adapter, err := p.NewProvider(a)
		if err != nil {
			return nil, err
		}
		account := api.Account{
			Name: a.Name, Provider: a.Provider, Check: adapter.Check, FetchesURL: adapter.Traits().FetchesURL,
			MaxBacklog: a.MaxBacklog, Rate: float64(a.Rate),
		}
		if h, ok := adapter.(extraction.Hooker); ok {
			account.Hook = h.Hook
		}
		out = append(out, account)
	}
	return out, nil
}

// apiStates are the accounts as the API shows and changes them.
type apiStates struct{ *AccountAdmin }

// Resume resumes an account. A name that cannot be resumed is invalid input.
func (s apiStates) Resume(ctx context.Context, name string) error {
	err := s.AccountAdmin.Resume(ctx, name)
	if errkind.Of(err) == errkind.Usage {
		return fmt.Errorf("%w: %w", extraction.ErrInvalid, err)
	}
	return err
}
