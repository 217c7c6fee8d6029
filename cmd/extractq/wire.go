package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/embedded"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/metrics"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/worker"
)

// sandboxProvider is the name under which the sandbox can be used as an account.
const sandboxProvider = "sandbox"

// sandboxPath is where the dialect is in a sandbox that newSandbox speaks.
const sandboxPath = "/sensible/v0"

// providers are the adapters there are: a new vendor is one line here.
var providers = []struct {
	config.Provider

	build func(config.Account, requested) (extraction.Provider, error)
}{
	{config.Provider{Name: sensible.Name, KeyEnv: "SENSIBLE_API_KEY"}, newSensible},
	{config.Provider{Name: typless.Name, KeyEnv: "TYPLESS_API_KEY"}, newTypless},
	{config.Provider{Name: sandboxProvider, Keyless: true}, newSandbox},
}

// requested is told of every request of an account's provider.
type requested func(op string, status int, took time.Duration)

func newSensible(a config.Account, told requested) (extraction.Provider, error) {
	return sensible.New(sensible.Config{
		APIKey: a.APIKey.Reveal(), BaseURL: a.BaseURL, UserAgent: userAgent(), Secrets: []string{a.HookToken.Reveal()},
		MaxResult: a.MaxResult, Requested: told,
	})
}

func newTypless(a config.Account, told requested) (extraction.Provider, error) {
	return typless.New(typless.Config{
		APIKey: a.APIKey.Reveal(), BaseURL: a.BaseURL, UserAgent: userAgent(), MaxResult: a.MaxResult, Requested: told,
	})
}

// newSandbox speaks Sensible's dialect to a sandbox, which takes any key.
func newSandbox(a config.Account, told requested) (extraction.Provider, error) {
	if a.APIKey.IsZero() {
		a.APIKey = config.NewSecret("sandbox")
	}
	return newSensible(a, told)
}

func userAgent() string { return "extractq/" + version }

// knownProviders are the providers as the configuration must know them.
func knownProviders() []config.Provider {
	out := make([]config.Provider, len(providers))
	for i, p := range providers {
		out[i] = p.Provider
	}
	return out
}

// newProvider builds the adapter of one account, whose requests are counted in m.
func newProvider(a config.Account, m *metrics.Metrics) (extraction.Provider, error) {
	for _, p := range providers {
		if p.Name == a.Provider {
			built, err := p.build(a, func(op string, status int, took time.Duration) { m.Requested(a.Name, op, status, took) })
			if err != nil {
				return nil, errkind.New(errkind.Usage, fmt.Errorf("account %s: %w", a.Name, err))
			}
			return built, nil
		}
	}
	return nil, errkind.Usagef("account %s: unknown provider %q", a.Name, a.Provider)
}

// workerAccount is an account as the worker knows it.
func workerAccount(a config.Account, m *metrics.Metrics) (worker.Account, error) {
	if a.Provider == sandboxProvider && a.BaseURL == "" {
		// Its dialect's default address is the vendor's own: documents would go there.
		return worker.Account{}, errkind.Usagef("account %s: a sandbox has no address of its own: set base_url to the one that "+
			"extractq sandbox prints, or use up or run", a.Name)
	}
	p, err := newProvider(a, m)
	if err != nil {
		return worker.Account{}, err
	}
	key := sha256.Sum256([]byte("extractq key fingerprint\x00" + a.APIKey.Reveal()))
	return worker.Account{
		Name: a.Name, Provider: p, ProviderName: a.Provider, Key: hex.EncodeToString(key[:8]), Rate: float64(a.Rate),
		MaxInFlight: a.MaxInFlight, Deadline: a.Deadline, PollPrice: a.PollPrice,
		Sweep: a.Sweep == config.SweepAuto, Resubmit: a.OnUncertain == config.UncertainResubmit,
		UncertainWindow: a.UncertainWindow, SubmitAttempts: a.SubmitAttempts,
	}, nil
}

// services are what every command but sandbox works with.
type services struct {
	rdb redis.UniversalClient
	// address is where Redis is, for a client of somebody's own. It may have a
	// password in it.
	address string
	blobs   *store.Blobs
	records *store.Records
	client  *intake.Client
	// persistent reports whether what Redis holds survives the process.
	persistent bool
	closers    []func() error
}

// Close releases everything, the last first.
func (s *services) Close() {
	for _, c := range slices.Backward(s.closers) {
		_ = c() // The process ends; there is nobody to tell.
	}
}

// open connects to Redis and the document store. bring says whether this command
// may start a Redis of its own in the data directory; the others use the one
// that lives there.
func open(ctx context.Context, cfg settings, bring bool) (_ *services, err error) {
	s, err := connected(ctx, cfg, bring)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if cfg.Data.URL == "" {
		if _, err = stateDir(); err != nil {
			return nil, err
		}
	}
	if s.blobs, err = store.OpenBlobs(ctx, address.Documents(cfg.Data.URL)); err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	s.closers = append(s.closers, s.blobs.Close)
	// A Redis that this command brought lives in the store's directory.
	terms := store.Terms{Own: bring && cfg.Redis.URL == "", Volatile: !s.persistent, AcceptEmpty: cfg.acceptEmpty}
	if err = belongs(cfg, store.Pair(ctx, s.records, s.blobs, terms)); err != nil {
		return nil, err
	}
	if err = belongs(cfg, s.blobs.Hold(ctx, s.records)); err != nil {
		return nil, err
	}
	s.client, err = newClient(cfg, s)
	return s, err
}

// openRecords is open for commands that touch no document: which document store
// they are given does not matter.
func openRecords(ctx context.Context, cfg settings) (_ *services, err error) {
	s, err := connected(ctx, cfg, false)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err = belongs(cfg, s.records.CheckVersion(ctx)); err != nil {
		return nil, err
	}
	s.client, err = newClient(cfg, s)
	return s, err
}

// openFunc is openRecords or withStore.
type openFunc func(context.Context, settings) (*services, error)

// withStore is open for a command that brings no Redis.
func withStore(ctx context.Context, cfg settings) (*services, error) { return open(ctx, cfg, false) }

// connected has Redis and the records in it.
func connected(ctx context.Context, cfg settings, bring bool) (_ *services, err error) {
	s := &services{persistent: true}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err = s.reach(ctx, cfg, bring, poolSize(cfg)); err != nil {
		return nil, err
	}
	if cfg.absence != nil {
		s.rdb.AddHook(cfg.absence)
	}
	s.records, err = store.NewRecords(s.rdb)
	return s, err
}

// reach finds Redis, or brings one, and connects to it. A server role waits for one
// that is away, and says so at once.
func (s *services) reach(ctx context.Context, cfg settings, bring bool, pool int) error {
	over := time.Now().Add(cfg.waitRedis)
	for said := false; ; said = true {
		var err error
		if !bring || !said { // What was brought stays where it is.
			err = s.locate(ctx, cfg, bring)
		}
		if err != nil && bring {
			return err // Waiting does not mend that it cannot be started.
		}
		if err == nil {
			err = s.connect(ctx, pool)
		}
		if err == nil || errkind.Of(err) != errkind.Unavailable || !time.Now().Before(over) || ctx.Err() != nil {
			return err
		}
		if !said {
			cfg.log.WarnContext(ctx, "waiting for Redis", slog.Duration("at_most", cfg.waitRedis), slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(min(time.Second, time.Until(over))):
		}
	}
}

// connect connects to the Redis that was located.
func (s *services) connect(ctx context.Context, pool int) (err error) {
	if s.rdb, err = connect(ctx, s.address, pool); err != nil {
		return err
	}
	s.closers = append(s.closers, s.rdb.Close)
	return nil
}

func newClient(cfg settings, s *services) (*intake.Client, error) {
	return intake.New(intake.Parts{
		Redis: s.rdb, Blobs: s.blobs, MaxDocument: cfg.API.MaxDocument,
		Kept: store.Kept{Record: cfg.Data.Retention, Document: cfg.Data.DocumentRetention},
		Canceled: func(r store.Record) {
			cfg.metrics.Ended(metrics.End{
				Account: r.Account, Status: extraction.StatusCanceled, Code: extraction.CodeCanceled,
				Duration: time.Since(r.CreatedAt), Polls: r.Polls, Delay: -1,
			})
		},
	})
}

// accounts are the names of the accounts in the configuration and of those that
// have extractions without being there.
func (s *services) accounts(ctx context.Context, cfg settings) ([]string, error) {
	registered, err := s.records.Accounts(ctx)
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	all := append(names(cfg.Accounts), registered...)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// find returns the records that exist among some ids, whatever their account.
func (s *services) find(ctx context.Context, cfg settings, ids ...string) ([]store.Record, error) {
	accounts, err := s.accounts(ctx, cfg)
	if err != nil {
		return nil, err
	}
	found, err := s.records.GetAll(ctx, accounts, ids...)
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	return found, nil
}

// belongs is what the answer of the check means to the user.
func belongs(cfg settings, err error) error {
	switch {
	case errors.Is(err, store.ErrOtherStore):
		return errkind.Usagef("%s is %w; set data.url (--data) to the one where the documents of this Redis are. "+
			"Where that one is gone for good, and the extractions in this Redis may go with it, "+
			"let Redis forget it: redis-cli del extractq:meta", cfg.Data.URL, err)
	case errors.Is(err, store.ErrEmptyRedis):
		return errkind.Usagef("%w (%s): bring the Redis back that has their records, from a backup where it lost them, "+
			"or name it with --redis. Where they are lost for good, start run, up or a server role once with "+
			"--accept-empty-redis, and then extractq recover, which makes the records anew: what is in the store now is never swept", err, cfg.Data.URL)
	case errors.Is(err, store.ErrNewer):
		return errkind.Usagef("%w; update extractq", err)
	case err != nil:
		return errkind.MarkUnavailable(err)
	}
	return nil
}

// locate finds out where Redis is, and brings one if it must.
func (s *services) locate(ctx context.Context, cfg settings, bring bool) (err error) {
	redis.SetLogger(redisLogger{cfg.log})
	if s.address = cfg.Redis.URL; s.address == "" {
		s.address, err = s.embedded(ctx, cfg, bring)
	}
	return err
}

// embedded brings a Redis, or finds the one that lives in the data directory.
func (s *services) embedded(ctx context.Context, cfg settings, bring bool) (string, error) {
	dir, err := dataDir(cfg.Data.URL)
	if err != nil {
		return "", err
	}
	if !bring {
		found, err := embedded.Find(ctx, dir)
		if err != nil {
			return "", errkind.MarkUnavailable(err)
		}
		return found, nil
	}
	r, err := embedded.Start(ctx, embedded.Config{Dir: dir, Bound: cfg.scratch, Logger: cfg.log})
	if err != nil {
		return "", errkind.MarkUnavailable(err)
	}
	endAtOnce(ctx, r.Abandon)
	s.persistent = r.Persistent
	s.closers = append(s.closers, r.Close)
	return r.URL, nil
}

// dataDir is the directory of a document store, or the state directory for a
// store that has none.
func dataDir(dataURL string) (string, error) {
	if u, err := url.Parse(dataURL); err == nil && u.Scheme == "file" {
		return filepath.FromSlash(u.Path), nil
	}
	return stateDir()
}

// poolSize is how many connections the process may need at once: every slot of
// every account, its heartbeats, and asynq's own loops. They are opened only when
// they are needed; there is room for accounts that a reload adds.
func poolSize(cfg settings) int {
	return 32 + 2*cfg.Worker.Concurrency*max(8, len(cfg.Accounts))
}

// names are the names of the configured accounts.
func names(accounts []config.Account) []string {
	out := make([]string, len(accounts))
	for i, a := range accounts {
		out[i] = a.Name
	}
	return out
}

// workerConfig is what a worker for some accounts needs.
func workerConfig(cfg settings, s *services, accounts []config.Account) (worker.Config, error) {
	own, err := workerAccounts(accounts, cfg.metrics)
	if err == nil {
		warnInClear(cfg.log, accounts)
	}
	return worker.Config{
		Redis: s.rdb, Blobs: s.blobs, Accounts: own, Concurrency: cfg.Worker.Concurrency,
		Lease:     crash.Lease(),
		Retention: cfg.Data.Retention, DocumentRetention: cfg.Data.DocumentRetention, Logger: cfg.log,
		Ended: func(e worker.End) { cfg.metrics.Ended(metrics.End(e)) }, Delivered: cfg.metrics.Delivered,
		Duplicate: cfg.metrics.Duplicate,
	}, err
}

// workerAccounts are accounts as the worker knows them.
func workerAccounts(accounts []config.Account, m *metrics.Metrics) ([]worker.Account, error) {
	out := make([]worker.Account, len(accounts))
	for i, a := range accounts {
		var err error
		if out[i], err = workerAccount(a, m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// redisLogger passes go-redis's own messages to slog.
type redisLogger struct{ log *slog.Logger }

// Printf is the one method go-redis wants of a logger.
func (l redisLogger) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "redis", slog.String("message", fmt.Sprintf(format, args...)))
}
