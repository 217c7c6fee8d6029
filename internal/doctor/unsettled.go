package doctor

import (
	"context"
	"time"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/store"
)

// Unsettled counts the extractions of an account, or of all, that have no record and were
// accepted so recently that the record may still be written. It is called after those that
// are certainly lost have been recovered or named.
func Unsettled(ctx context.Context, records *store.Records, blobs *store.Blobs, account string) (int, error) {
	n := 0
	err := records.Lost(ctx, blobs, 0, func(a store.Accepted) error {
		if (account == "" || a.Account == account) && time.Since(a.AcceptedAt.Time) < store.AcceptedFor {
			n++
		}
		return nil
	})
	if err != nil {
		return 0, errkind.MarkUnavailable(err)
	}
	return n, nil
}
