package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/api"
	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/serve"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/polling"
)

func apiCommand() *cli.Command {
	return &cli.Command{
		Name:  "api",
		Usage: "take documents over HTTP, until told to stop",
		Description: `Other services submit, wait, list and listen under /v1; /docs is the reference, and
/openapi.json its machine-readable form. With keys configured (api.keys) each
request sends one as Authorization: Bearer KEY; without any, it listens on this
machine only. Workers and a scheduler run beside it.

Examples:

   extractq api
   extractq api --listen 127.0.0.1:9090`,
		Flags: []cli.Flag{listenFlag(), acceptEmpty(), waitForRedis()},
		Action: func(c *cli.Context) error {
			cfg, deaf, err := loadServer(c, wantAccounts)
			if err != nil {
				return err
			}
			defer deaf()
			if c.Args().Present() {
				return errkind.Usagef("api takes no arguments")
			}
			listener, err := listen(c, cfg)
			if err != nil {
				return err
			}
			defer func() { _ = listener.Close() }()
			if err := admit(cfg, listener.Addr()); err != nil {
				return err
			}
			svc, err := withStore(c.Context, cfg)
			if err != nil {
				return err
			}
			defer svc.Close()
			if cfg.admin, err = newAdmin(c.Context, cfg, svc.rdb, svc.blobs); err != nil {
				return err
			}
			s, err := newAPI(cfg, svc)
			if err != nil {
				return err
			}
			cfg.onHangup(func(_ context.Context, next settings) error {
				if err := admit(next, listener.Addr()); err != nil {
					return err
				}
				return s.reload(next)
			})
			cfg.Say("api at http://%s/v1", listener.Addr())
			return cfg.admin.beside(c.Context, func(ctx context.Context) error {
				return serveAPI(ctx, cfg, s, s.Handler(), listener)
			})
		},
	}
}

// serveAPI answers until ctx ends. Streams are told first, so that the end does not
// wait for them.
func serveAPI(ctx context.Context, cfg settings, s *apiServer, h http.Handler, listener net.Listener) error {
	defer s.Close()
	defer context.AfterFunc(ctx, s.Stop)()
	return serve.Until(ctx, listener, h, cfg.log)
}

// listen takes the address that the flag or the file names.
func listen(c *cli.Context, cfg settings) (net.Listener, error) {
	address := cfg.API.Listen
	if s := c.String("listen"); s != "" {
		var err error
		if address, err = config.ListenAddress(s); err != nil {
			return nil, errkind.Usagef("--listen: %w", err)
		}
	}
	l, err := new(net.ListenConfig).Listen(c.Context, "tcp", address)
	if err != nil {
		return nil, errkind.MarkUnavailable(fmt.Errorf("%w; choose another address with --listen", err))
	}
	return l, nil
}

// admit is an error where such an API may not listen on the address.
func admit(cfg settings, addr net.Addr) error {
	if err := (api.Config{Keys: apiKeys(cfg)}).Admits(addr); err != nil {
		return errkind.Usagef("cannot listen on %s: %w; listen on 127.0.0.1, or configure api.keys", addr, err)
	}
	return nil
}

func apiKeys(cfg settings) []api.Key {
	var out []api.Key
	for _, k := range cfg.API.Keys {
		key := api.Key{
			Name: k.Name, Digest: api.Digest(k.Secret.Reveal()), Accounts: k.Accounts, Customer: k.Customer, Operator: k.Operator,
		}
		out = append(out, key)
		if !k.PreviousSecret.IsZero() { // It is the same key.
			key.Digest = api.Digest(k.PreviousSecret.Reveal())
			out = append(out, key)
		}
	}
	return out
}

// apiServer is the HTTP API with the accounts that it shows, which SIGHUP changes.
type apiServer struct {
	*api.Server

	accounts atomic.Pointer[[]config.Account]
}

// reload gives it the accounts and keys of the configuration as it is now.
func (s *apiServer) reload(next settings) error {
	accounts, err := apiAccounts(next.Accounts)
	if err != nil {
		return err
	}
	s.accounts.Store(&next.Accounts)
	s.Reload(accounts, apiKeys(next), hookTokens(next))
	return nil
}

// newAPI builds the HTTP API of this process.
func newAPI(cfg settings, svc *services) (*apiServer, error) {
	document, callback, err := intake.URLChecks(cfg.Fetch.AllowHosts, cfg.Callbacks.AllowHosts)
	if err != nil {
		return nil, errkind.New(errkind.Usage, err)
	}
	accounts, err := apiAccounts(cfg.Accounts)
	if err != nil {
		return nil, err
	}
	s := &apiServer{}
	s.accounts.Store(&cfg.Accounts)
	s.Server = api.New(api.Config{
		Client: svc.client, Records: svc.records, Blobs: svc.blobs, Polls: polling.NewStore(svc.rdb, svc.records), Accounts: accounts, States: &accountDesk{
			configured: func() []config.Account { return *s.accounts.Load() },
			services:   svc, limits: limiter.New(svc.rdb), queue: queue.New(svc.rdb),
		},
		Keys: apiKeys(cfg), HookTokens: hookTokens(cfg), MaxDocument: cfg.API.MaxDocument,
		CheckURL: callback, CheckDocumentURL: document,
		Refused: cfg.metrics.Refused("api"), Version: version, PublicURL: cfg.API.PublicURL, Logger: cfg.log,
	})
	return s, nil
}

// apiAccounts are the accounts as the API knows them.
func apiAccounts(accounts []config.Account) ([]api.Account, error) {
	var out []api.Account
	for _, a := range accounts {
		p, err := newProvider(a, nil)
		if err != nil {
			return nil, err
		}
		account := api.Account{
			Name: a.Name, Provider: a.Provider, Check: p.Check, FetchesURL: p.Traits().FetchesURL,
			MaxBacklog: a.MaxBacklog, Rate: float64(a.Rate),
		}
		if h, ok := p.(extraction.Hooker); ok {
			account.Hook = h.Hook
		}
		out = append(out, account)
	}
	return out, nil
}

// States are all accounts, as the API shows them.
func (d *accountDesk) States(ctx context.Context) ([]extraction.AccountState, error) {
	all, err := d.accounts(ctx, settings{Config: &config.Config{Accounts: d.configured()}})
	if err != nil {
		return nil, err
	}
	out := make([]extraction.AccountState, len(all))
	for i, name := range all {
		if out[i], err = d.state(ctx, name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Pause is pause, for the API.
func (d *accountDesk) Pause(ctx context.Context, name string) error { return d.pause(ctx, name) }

// Resume is resume, for the API.
func (d *accountDesk) Resume(ctx context.Context, name string) error {
	err := d.resume(ctx, name)
	if errkind.Of(err) == errkind.Usage {
		return fmt.Errorf("%w: %w", extraction.ErrInvalid, err)
	}
	return err
}
