package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/dashboard"
	"github.com/extractq/extractq/internal/errkind"
)

func dashboardCommand() *cli.Command {
	return &cli.Command{
		Name:  "dashboard",
		Usage: "show the queues in a browser, until told to stop",
		Description: `The asynq web UI is at /queues: each account's submit and poll tasks, with
labels and nothing else of what is in them. It is read-only unless the key that
is sent is an operator's, or --operator is given.

With keys configured (api.keys), the browser asks for one as the password; a
program sends Authorization: Bearer KEY. Without any, it listens on this machine
only.

Examples:

   extractq dashboard
   extractq dashboard --listen 127.0.0.1:9090 --operator
   extractq dashboard --redis redis://127.0.0.1:6379/0 --listen :8080 --no-auth`,
		Flags: dashboardFlags(),
		Action: func(c *cli.Context) error {
			// It shows whatever is in Redis, and needs no account for that.
			cfg, deaf, err := loadServer(c, func(*settings) error { return nil })
			if err != nil {
				return err
			}
			defer deaf()
			if c.Args().Present() {
				return errkind.Usagef("dashboard takes no arguments")
			}
			d, err := readDashboard(c, cfg)
			if err != nil {
				return err
			}
			defer d.Close()
			svc := &services{} // It has no use for documents.
			if err := svc.reach(c.Context, cfg, false, dashboardPool); err != nil {
				return err
			}
			defer svc.Close()
			if cfg.admin, err = newAdmin(c.Context, cfg, svc.rdb, nil); err != nil {
				return err
			}
			cfg.onHangup(func(_ context.Context, next settings) error { return d.reload(next) })
			return cfg.admin.beside(c.Context, func(ctx context.Context) error { return d.serve(ctx, cfg, svc.address) })
		},
	}
}

// listenFlag is where a server listens.
func listenFlag() cli.Flag {
	return &cli.StringFlag{Name: "listen", EnvVars: []string{"EXTRACTQ_LISTEN"}, Usage: "`ADDR` to listen on (default: api.listen, 127.0.0.1:8080)"}
}

// dashboardFlags are those of the commands that have a dashboard.
func dashboardFlags() []cli.Flag {
	return []cli.Flag{
		listenFlag(),
		waitForRedis(),
		&cli.BoolFlag{Name: "operator", Usage: "let everyone who is let in change things; on this machine only"},
		&cli.BoolFlag{Name: "no-auth", Usage: "let everyone in, to look; for a private network"},
	}
}

// board is a dashboard as the flags and the file say it, with its address taken.
type board struct {
	listener net.Listener
	// api is served at the same address; nil where there is none.
	api *apiServer

	// mu guards the others: the keys may be read again at any time.
	mu     sync.Mutex
	cfg    dashboard.Config
	served *dashboard.Dashboard // nil before and after.
}

// Close gives the address back.
func (b *board) Close() { _ = b.listener.Close() }

// readDashboard reads the flags and takes the address, so that what is wrong with
// either is said before anything is started.
func readDashboard(c *cli.Context, cfg settings) (*board, error) {
	b := &board{cfg: dashboard.Config{Operator: c.Bool("operator"), NoAuth: c.Bool("no-auth"), Logger: cfg.log, Refused: cfg.metrics.Refused("dashboard")}}
	if b.cfg.Operator && b.cfg.NoAuth {
		return nil, errkind.Usagef("--operator and --no-auth exclude each other: who is let in without a key may only look")
	}
	b.cfg.Keys = dashboardKeys(cfg)
	var err error
	if b.listener, err = listen(c, cfg); err != nil {
		return nil, err
	}
	if err := b.cfg.Admits(b.listener.Addr()); err != nil {
		b.Close()
		hint := "listen on 127.0.0.1, configure api.keys, or give --no-auth in a private network"
		if errors.Is(err, dashboard.ErrOperatorExposed) {
			hint = "leave --operator out and use a key with operator: true"
		}
		return nil, errkind.Usagef("cannot listen on %s: %w; %s", b.listener.Addr(), err, hint)
	}
	return b, nil
}

// serve says where the dashboard is, and answers until ctx ends.
func (b *board) serve(ctx context.Context, cfg settings, redisURL string) error {
	rdb, err := connect(ctx, redisURL, dashboardPool)
	if err != nil {
		return err
	}
	d, err := b.begin(rdb)
	if err != nil {
		return errors.Join(err, rdb.Close())
	}
	defer b.end(d)
	cfg.Say("dashboard at http://%s/", b.listener.Addr())
	if b.api != nil {
		return serveAPI(ctx, cfg, b.api, beside(b.api.Handler(), d.Handler()), b.listener)
	}
	return d.Serve(ctx, b.listener)
}

// begin makes the dashboard, with the keys as they are now.
func (b *board) begin(rdb redis.UniversalClient) (*dashboard.Dashboard, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cfg.Redis = rdb
	var err error
	b.served, err = dashboard.New(b.cfg)
	return b.served, err
}

func (b *board) end(d *dashboard.Dashboard) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.served = nil
	_ = d.Close() // The role ends; there is nobody to tell.
}

// reload replaces the keys, unless the address could not be listened on with them.
func (b *board) reload(next settings) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	cfg := b.cfg
	cfg.Keys = dashboardKeys(next)
	if err := cfg.Admits(b.listener.Addr()); err != nil {
		return fmt.Errorf("api.keys: %w", err)
	}
	if b.api != nil {
		if err := b.api.reload(next); err != nil {
			return err
		}
	}
	b.cfg = cfg
	if b.served != nil {
		b.served.Reload(cfg.Keys)
	}
	return nil
}

// dashboardKeys are the keys of the configuration as the dashboard knows them.
func dashboardKeys(cfg settings) []dashboard.Key {
	var keys []dashboard.Key
	for _, k := range cfg.API.Keys {
		key := dashboard.Key{
			Name: k.Name, Digest: dashboard.Digest(k.Secret.Reveal()), Operator: k.Operator,
			Limited: len(k.Accounts) > 0 || k.Customer != "",
		}
		keys = append(keys, key)
		if !k.PreviousSecret.IsZero() { // It is the same key.
			key.Digest = dashboard.Digest(k.PreviousSecret.Reveal())
			keys = append(keys, key)
		}
	}
	return keys
}

// beside serves the HTTP API and the dashboard's pages at one address. Each guards
// its own.
func beside(api, pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/v1/", "/docs", "/docs/", "/openapi.json", "/openapi.yaml", "/openapi-3.0.json", "/openapi-3.0.yaml", "/readyz"} {
		mux.Handle(path, api)
	}
	mux.Handle("/", pages)
	return mux
}

// dashboardPool is how many connections a dashboard may need: a few for each page
// that is open.
const dashboardPool = 16
