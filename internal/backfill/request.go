package backfill

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/documents"
)

// wantedEntry is the journal's entry for a document, without its extraction.
func (b *Backfill) wantedEntry(d *documents.Document) (journal.Entry, error) {
	digest, err := d.Digest()
	if err != nil {
		return journal.Entry{}, err
	}
	path, err := d.Identity()
	if err != nil {
		return journal.Entry{}, documents.Unreadable{Err: documents.Cause(err)}
	}
	return journal.Entry{Name: d.Name, Path: path, SHA256: digest, Request: b.requestDigest(), Shared: b.Redis.URL != ""}, nil
}

// requestDigest is a digest of everything that is asked of each document.
func (b *Backfill) requestDigest() string {
	return b.digestOf(request{
		b.Account.Name, b.Template.Type, b.Template.ConfigName, b.Template.Environment, b.Template.Customer,
		b.Template.Types, b.Template.Options,
	})
}

// request is everything that is asked of a document.
type request struct {
	Account, Type, ConfigName, Environment, Customer string
	Types                                            []string
	Options                                          map[string]any
}

// digestOf is the digest of a request. Empty types and options are those of this run, whether
// they are nil or not.
func (b *Backfill) digestOf(q request) string {
	if len(q.Types) == 0 && len(b.Template.Types) == 0 {
		q.Types = b.Template.Types
	}
	if len(q.Options) == 0 && len(b.Template.Options) == 0 {
		q.Options = b.Template.Options
	}
	body, err := json.Marshal(q)
	if err != nil {
		panic(err) // Strings always encode.
	}
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:8])
}
