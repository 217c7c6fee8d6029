package doctor

import (
	"context"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

const checkRecords = "records"

// lostShown is the number of lost records that are named; recover --dry-run names all.
const lostShown = 1000

// violationsShown is the number of an account's violations that are named.
const violationsShown = 20

// deep compares the records of all accounts with their indexes and with the document
// store, whose documents and results it reads.
func (d *checks) deep(ctx context.Context, cfg app.Process) {
	if d.rdb == nil {
		return // Said already.
	}
	records, err := store.NewRecords(d.rdb)
	if err != nil {
		d.found(checkRecords, Fix, "%v", err)
		return
	}
	blobs, err := app.OpenBlobs(ctx, cfg)
	if err != nil {
		d.found(checkRecords, Fix, "%v", err)
		return
	}
	defer func() { _ = blobs.Close() }()
	lost := 0
	err = records.Lost(ctx, blobs, store.AcceptedFor, func(a store.Accepted) error {
		if lost++; lost <= lostShown {
			d.found(checkRecords, Fix, "Redis has lost the record of %s, account %s", a.ID, a.Account)
		}
		return nil
	})
	if err != nil {
		d.found(checkRecords, Away, "%v", err)
		return
	}
	if lost > 0 {
		d.found(checkRecords, Fix, "Redis has lost the records of %s: run extractq recover", render.Extractions(lost))
	}
	young, err := Unsettled(ctx, records, blobs, "")
	if err != nil {
		d.found(checkRecords, Away, "%v", err)
		return
	}
	if young > 0 {
		d.found(checkRecords, Note, "%s accepted in the last minute without a record yet: look again in a minute", render.Extractions(young))
	}
	accounts, err := records.Accounts(ctx)
	if err != nil {
		d.found(checkRecords, Away, "%v", err)
		return
	}
	for _, account := range accounts {
		got, err := records.Audit(ctx, account, blobs)
		if err != nil {
			d.found(checkRecords, Away, "account %s: %v", account, err)
			continue
		}
		for i, v := range got.Violations {
			if i == violationsShown {
				d.found(checkRecords, Fix, "account %s: %d more", account, len(got.Violations)-i)
				break
			}
			d.found(checkRecords, Fix, "%s", v)
		}
		if len(got.Violations) == 0 {
			d.found(checkRecords, OK, "account %s: %d extractions agree with their indexes and the document store", account, got.Extractions)
		}
	}
}
