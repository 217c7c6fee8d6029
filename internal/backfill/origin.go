package backfill

import (
	"context"
	"encoding/hex"
	"iter"
	"os"
	"path/filepath"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/submitter"
)

// ownsState reports whether only runs with this --out use the Redis and the document store. In
// shared ones, only the extractions that are noted for this --out are this run's.
func (b *Backfill) ownsState() bool { return b.Redis.URL == "" && !b.DataGiven }

// idsOfRun are the ids that earlier runs with this --out have in Redis, the latest first.
func (b *Backfill) idsOfRun(ctx context.Context) iter.Seq2[string, error] {
	if b.ownsState() {
		return b.Records.IDs(ctx, b.Account.Name)
	}
	return func(yield func(string, error) bool) {
		ids, err := b.Records.OfRun(ctx, b.Account.Name, b.origin())
		if err != nil {
			yield("", err)
			return
		}
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

// origin names this --out in a Redis that others use too.
func (b *Backfill) origin() string {
	host, _ := os.Hostname() // Without a name, the folder has to do.
	out, err := filepath.Abs(b.Out)
	if err != nil {
		out = b.Out
	}
	name := documents.HashOf(host + "\x00" + out)
	return hex.EncodeToString(name[:])
}

// noting returns a Send that first notes the extraction as this run's, in a shared Redis.
func (b *Backfill) noting(send submitter.Send) submitter.Send {
	if b.journal == nil || b.ownsState() {
		return send
	}
	return func(ctx context.Context, s intake.Submission) (extraction.Extraction, error) {
		if err := b.Records.NoteRun(ctx, b.Account.Name, b.origin(), s.ID); err != nil {
			return extraction.Extraction{}, err
		}
		return send(ctx, s)
	}
}
