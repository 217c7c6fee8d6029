package app

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/metrics"
	"github.com/extractq/extractq/worker"
)

// WorkerConfig returns the configuration of a worker for some accounts.
func WorkerConfig(cfg Process, s *Services, accounts []config.Account) (worker.Config, error) {
	own, err := cfg.WorkerAccounts(accounts)
	if err == nil {
		warnInClear(cfg.Log, accounts)
	}
	return worker.Config{
		Redis: s.RDB, Blobs: s.Blobs, Accounts: own, Concurrency: cfg.Worker.Concurrency,
		Lease:     crash.Lease(),
		Retention: cfg.Data.Retention, DocumentRetention: cfg.Data.DocumentRetention, Logger: cfg.Log,
		Ended: func(e worker.End) { cfg.Metrics.Ended(metrics.End(e)) }, Delivered: cfg.Metrics.Delivered,
		Duplicate: cfg.Metrics.Duplicate,
	}, err
}

// WorkerAccounts returns accounts for a worker.
func (p Process) WorkerAccounts(accounts []config.Account) ([]worker.Account, error) {
	out := make([]worker.Account, len(accounts))
	for i, a := range accounts {
		var err error
		if out[i], err = p.workerAccount(a); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// workerAccount returns an account for a worker.
func (p Process) workerAccount(a config.Account) (worker.Account, error) {
	if a.Provider == SandboxProvider && a.BaseURL == "" {
		// The default address is the vendor's own, and documents would be sent there.
		return worker.Account{}, errkind.Usagef("account %s: a sandbox has no address of its own: set base_url to the one that "+
			"extractq sandbox prints, or use up or run", a.Name)
	}
	adapter, err := p.NewProvider(a)
	if err != nil {
		return worker.Account{}, err
	}
	key := sha256.Sum256([]byte("extractq key fingerprint\x00" + a.APIKey.Reveal()))
	return worker.Account{
		Name: a.Name, Provider: adapter, ProviderName: a.Provider, Key: hex.EncodeToString(key[:8]), Rate: float64(a.Rate),
		MaxInFlight: a.MaxInFlight, Deadline: a.Deadline, PollPrice: a.PollPrice,
		Sweep: a.Sweep == config.SweepAuto, Resubmit: a.OnUncertain == config.UncertainResubmit,
		UncertainWindow: a.UncertainWindow, SubmitAttempts: a.SubmitAttempts,
	}, nil
}
