package app

import (
	"context"

	"github.com/extractq/extractq/callback"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/worker"
)

// ServerWorker is the worker of a server role: it works for the configured accounts and
// calls producers back.
type ServerWorker struct {
	*worker.Worker

	sender *callback.Sender
	// started is what the process was started with; only a restart changes some of it.
	started Process
}

// NewServerWorker returns the worker of a server role for the configured accounts.
func NewServerWorker(cfg Process, svc *Services) (ServerWorker, error) {
	wc, err := WorkerConfig(cfg, svc, cfg.Accounts)
	if err != nil {
		return ServerWorker{}, err
	}
	if wc.Accounts, err = cfg.ServerAccounts(cfg.Accounts); err != nil {
		return ServerWorker{}, err
	}
	sender, err := NewSender(cfg)
	if err != nil {
		return ServerWorker{}, err
	}
	wc.Deliverer = Deliverer{sender}
	w, err := worker.New(wc)
	return ServerWorker{w, sender, cfg}, err
}

// Reload replaces the accounts and the secrets of callbacks.
func (w ServerWorker) Reload(ctx context.Context, next Process) error {
	accounts, err := w.started.ServerAccounts(next.Accounts)
	if err != nil {
		return err
	}
	// The configuration has checked the form of the secrets.
	if err := w.sender.SetSecrets(senderConfig(next)); err != nil {
		return errkind.Usagef("callbacks: %w", err)
	}
	warnInClear(w.started.Log, next.Accounts)
	return w.Worker.Reload(ctx, accounts)
}
