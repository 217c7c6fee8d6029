package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/limiter"
)

// AccountAdmin shows and changes the state of accounts.
type AccountAdmin struct {
	*Services

	Configured func() []config.Account
	limits     *limiter.Limiter
	queue      *queue.Queue
}

// NewAccountAdmin returns an AccountAdmin. configured returns the accounts that are
// configured now.
func NewAccountAdmin(svc *Services, configured func() []config.Account) *AccountAdmin {
	return &AccountAdmin{Services: svc, Configured: configured, limits: limiter.New(svc.RDB, svc.Records), queue: queue.New(svc.RDB)}
}

// States returns the states of all accounts.
func (d *AccountAdmin) States(ctx context.Context) ([]extraction.AccountState, error) {
	all, err := d.Accounts(ctx, d.Configured())
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

// StatesOf returns the states of some accounts.
func (d *AccountAdmin) StatesOf(ctx context.Context, names []string) ([]extraction.AccountState, error) {
	out := make([]extraction.AccountState, len(names))
	for i, name := range names {
		var err error
		if out[i], err = d.state(ctx, name); err != nil {
			return nil, errkind.MarkUnavailable(err)
		}
	}
	return out, nil
}

func (d *AccountAdmin) account(name string) (config.Account, bool) {
	all := d.Configured()
	i := slices.IndexFunc(all, func(a config.Account) bool { return a.Name == name })
	if i < 0 {
		return config.Account{}, false
	}
	return all[i], true
}

// Pause pauses an account until Resume. It sets the state first, which decides; the next
// tick adjusts the queues to it too.
func (d *AccountAdmin) Pause(ctx context.Context, name string) error {
	if _, err := d.limits.Pause(ctx, name, limiter.Operator, "", "paused by an operator"); err != nil {
		return errkind.MarkUnavailable(err)
	}
	if err := d.queue.SetPaused(ctx, name, true, true); err != nil {
		return errkind.MarkUnavailable(err)
	}
	return nil
}

// Resume ends a pause, whatever its reason. It is an error of kind Usage for an account that
// has left the configuration.
func (d *AccountAdmin) Resume(ctx context.Context, name string) error {
	served, err := d.limits.Served(ctx, name)
	if err != nil {
		return errkind.MarkUnavailable(err)
	}
	if _, ok := d.account(name); !ok && !served {
		return errkind.Usagef("account %s is not in the configuration: it goes on when it is back there", name)
	}
	if err := d.limits.Resume(ctx, name); err != nil {
		return errkind.MarkUnavailable(err)
	}
	if err := d.queue.SetPaused(ctx, name, false, false); err != nil {
		return errkind.MarkUnavailable(err)
	}
	return nil
}

// state returns the state of one account.
func (d *AccountAdmin) state(ctx context.Context, name string) (extraction.AccountState, error) {
	s, err := d.limits.State(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	load, err := d.Records.Load(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	used, err := d.limits.Used(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	out := extraction.AccountState{
		Name: name, State: extraction.AccountActive, Queued: load.Queued, InFlight: load.InFlight,
		OldestQueuedAt: extraction.Time{Time: load.Oldest}, RateUsed: used,
	}
	if t := s.LastError; t.Code != "" {
		out.LastError = &extraction.Trouble{
			Code: extraction.Code(t.Code), Message: t.Message,
			At: extraction.Time{Time: t.At}, OverAt: extraction.Time{Time: t.Over},
		}
	}
	if s.Reason != limiter.Active {
		out.State, out.Reason, out.Since = extraction.AccountPaused, extraction.Null(s.Reason), extraction.Time{Time: s.Since}
		if s.Reason != limiter.Operator {
			out.NextProbeAt = extraction.Time{Time: s.ProbeAt}
		}
	}
	served, err := d.limits.Served(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	if !served && load.Queued+load.InFlight > 0 {
		since := load.Oldest
		if since.IsZero() { // All of it is at the vendor.
			since = time.Now().UTC()
		}
		out.LastError = &extraction.Trouble{
			Code: extraction.CodeNoWorker, Message: UnservedText([]string{name}), At: extraction.Time{Time: since},
		}
	}
	known, registered, err := d.Records.Known(ctx, name)
	if err != nil {
		return extraction.AccountState{}, err
	}
	a, ok := d.account(name)
	if served && registered { // The workers' configuration counts, not this command's.
		out.Provider, out.Rate = extraction.Null(known.Provider), &known.Rate
		return out, nil
	}
	if !ok && served {
		return out, nil
	}
	if !ok {
		// It was removed from the configuration, which stopped it, and only an operator can
		// put it back. It is not probed until then.
		out.State, out.Reason, out.NextProbeAt = extraction.AccountPaused, extraction.Null(limiter.Operator), extraction.Time{}
		if s.Reason != limiter.Operator {
			out.Since = extraction.Time{}
		}
		return out, nil
	}
	rate := float64(a.Rate)
	out.Provider, out.Rate = extraction.Null(a.Provider), &rate
	return out, nil
}

// UnservedText is the line about accounts that no worker has.
func UnservedText(names []string) string {
	return "no worker has " + strings.Join(names, ", ") + ": documents wait until one runs (extractq worker, or up)"
}
