package backfill

import (
	"context"
	"io"
	"os"
	"strconv"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/backfill/results"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/store"
)

// existingResult returns the result that is where the document's own would be, if it is of the
// same bytes and the same request.
func (b *Backfill) existingResult(ctx context.Context, d *documents.Document, want journal.Entry) (string, extraction.Extraction, bool) {
	whole := d.WholeName()
	for _, name := range []string{d.Name, d.ShortName, whole, journal.PlainName(want)} {
		if e, ok := results.Read(b.resultFile(name)); ok && name != "" && b.isResultOf(ctx, d, want, e) {
			return name, e, true
		}
	}
	for n := 2; ; n++ { // Documents that would have the same name are numbered without a gap.
		name := whole + "-" + strconv.Itoa(n)
		if _, err := os.Lstat(b.resultFile(name)); err != nil {
			return "", extraction.Extraction{}, false
		}
		if e, ok := results.Read(b.resultFile(name)); ok && b.isResultOf(ctx, d, want, e) {
			return name, e, true
		}
	}
}

// isResultOf reports whether a result is of this document and of this run's request.
func (b *Backfill) isResultOf(ctx context.Context, d *documents.Document, want journal.Entry, e extraction.Extraction) bool {
	asked := b.digestOf(request{
		e.Account, string(e.Type), string(e.ConfigName), string(e.Environment), string(e.Customer), e.Types, e.Options,
	})
	if e.ID == "" || asked != want.Request || e.Document.Name != d.FileName() {
		return false
	}
	switch {
	case d.URL == "":
		return string(e.Document.SHA256) == want.SHA256
	case d.Body == nil: // Without its query, which was removed at the end.
		return string(e.Document.URL) == d.URL
	case e.Document.SHA256 == "":
		return false
	}
	if known, err := b.journal.Progress(e.ID); err != nil || known.Accepted {
		return false // The journal knows it, as the document of another URL.
	}
	again, err := b.reader.Open(ctx, d.Source) // Only its bytes tell.
	if err != nil {
		return false
	}
	defer again.Close()
	got, err := store.Digest(io.Discard, again, b.reader.Limit)
	return err == nil && got.SHA256 == string(e.Document.SHA256)
}
