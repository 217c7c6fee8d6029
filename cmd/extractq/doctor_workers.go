package main

import (
	"context"
	"slices"
	"strings"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// served are the accounts that some worker has, of the configuration and of all that
// workers registered.
func (d *doctor) served(ctx context.Context, cfg settings) []string {
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

// workers says who works, and for what.
func (d *doctor) workers(ctx context.Context, cfg settings) {
	if d.rdb == nil {
		return
	}
	all := d.served(ctx, cfg)
	if len(all) == 0 {
		d.found("workers", healthNote, "no worker runs: what is submitted waits until one does")
		return
	}
	for _, name := range app.AccountNames(cfg.Accounts) {
		if !slices.Contains(all, name) {
			d.found("workers", healthNote, "no worker has %s: what is submitted to it waits until one does", name)
			return
		}
	}
	d.found("workers", healthOK, "they have %s", strings.Join(all, ", "))
}
