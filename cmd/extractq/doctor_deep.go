package main

import (
	"context"

	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/store"
)

const checkRecords = "records"

// lostShown bounds how many lost records are named one by one: recover --dry-run names all.
const lostShown = 1000

// violationsShown bounds how many of an account's violations are named one by one.
const violationsShown = 20

// deep compares the records of all accounts with their indexes and with the document
// store, whose documents and results it reads.
func (d *doctor) deep(ctx context.Context, cfg settings) {
	if d.rdb == nil {
		return // Said already.
	}
	records, err := store.NewRecords(d.rdb)
	if err != nil {
		d.found(checkRecords, healthFix, "%v", err)
		return
	}
	blobs, err := store.OpenBlobs(ctx, address.Documents(cfg.Data.URL))
	if err != nil {
		d.found(checkRecords, healthFix, "%v", err)
		return
	}
	defer func() { _ = blobs.Close() }()
	lost := 0
	err = records.Lost(ctx, blobs, store.AcceptedFor, func(a store.Accepted) error {
		if lost++; lost <= lostShown {
			d.found(checkRecords, healthFix, "Redis has lost the record of %s, account %s", a.ID, a.Account)
		}
		return nil
	})
	if err != nil {
		d.found(checkRecords, healthAway, "%v", err)
		return
	}
	if lost > 0 {
		d.found(checkRecords, healthFix, "Redis has lost the records of %s: run extractq recover", plural(lost))
	}
	young, err := unsettled(ctx, records, blobs, "")
	if err != nil {
		d.found(checkRecords, healthAway, "%v", err)
		return
	}
	if young > 0 {
		d.found(checkRecords, healthNote, "%s accepted in the last minute without a record yet: look again in a minute", plural(young))
	}
	accounts, err := records.Accounts(ctx)
	if err != nil {
		d.found(checkRecords, healthAway, "%v", err)
		return
	}
	for _, account := range accounts {
		got, err := records.Audit(ctx, account, blobs)
		if err != nil {
			d.found(checkRecords, healthAway, "account %s: %v", account, err)
			continue
		}
		for i, v := range got.Violations {
			if i == violationsShown {
				d.found(checkRecords, healthFix, "account %s: %d more", account, len(got.Violations)-i)
				break
			}
			d.found(checkRecords, healthFix, "%s", v)
		}
		if len(got.Violations) == 0 {
			d.found(checkRecords, healthOK, "account %s: %d extractions agree with their indexes and the document store", account, got.Extractions)
		}
	}
}
