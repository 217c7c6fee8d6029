package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// served returns the accounts that a worker has, of those in the configuration and of all
// that workers registered.
func (d *checks) served(ctx context.Context, cfg app.Process) []string {
	if d.rdb == nil {
		return nil
	}
	all := app.AccountNames(cfg.Accounts)
	records, err := store.NewRecords(d.rdb)
	if err != nil {
		return nil
	}
	if registered, err := records.Accounts(ctx); err == nil { // The line about Redis says why otherwise.
		all = append(all, registered...)
	}
	slices.Sort(all)
	limits := limiter.New(d.rdb, records)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool {
		served, err := limits.Served(ctx, name)
		return err != nil || !served
	})
}

// workers reports which accounts have a worker.
func (d *checks) workers(ctx context.Context, cfg app.Process) {
	if d.rdb == nil {
		return
	}
	all := d.served(ctx, cfg)
	if len(all) == 0 {
		d.found("workers", Note, "no worker runs: what is submitted waits until one does")
		return
	}
	for _, name := range app.AccountNames(cfg.Accounts) {
		if !slices.Contains(all, name) {
			d.found("workers", Note, "no worker has %s: what is submitted to it waits until one does", name)
			return
		}
	}
	d.found("workers", OK, "they have %s", strings.Join(all, ", "))
}
