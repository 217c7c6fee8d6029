// Package protocol is what the HTTP API and its clients exchange besides the extraction
// itself: the fields of a submission, pages, bulk operations, and problems.
//
// Both sides import it, so there is one schema. It holds types without behaviour except
// their encoding. New members must be optional, and none may change its meaning. The tags
// doc, enum and so on are for the API's description.
package protocol

import (
	"net/url"
	"strconv"

	"github.com/extractq/extractq/extraction"
)

// Fields say how a document is to be extracted. They are sent as a query, as parts of a
// form, or as members of a JSON object.
type Fields struct {
	// Account is the account to submit with; optional if the key can use only one.
	Account string `json:"account,omitempty" doc:"may be left out where the key can use one"`
	// Type is the vendor's document type; Types are those of a portfolio.
	Type  string   `json:"type,omitempty" doc:"the vendor's document type"`
	Types []string `json:"types,omitempty" doc:"the types that a portfolio may contain"`
	// ConfigName selects one configuration of the type, Environment the vendor's
	// environment.
	ConfigName  string `json:"config_name,omitempty"`
	Environment string `json:"environment,omitempty"`
	// Customer and Batch are labels.
	Customer string `json:"customer,omitempty"`
	Batch    string `json:"batch,omitempty"`
	// Name is the producer's name for the document.
	Name     string            `json:"name,omitempty" doc:"what the producer calls the document"`
	Metadata map[string]string `json:"metadata,omitempty"`
	// Options are passed to the vendor.
	Options map[string]any `json:"options,omitempty" doc:"passed to the vendor"`
	// Priority is normal or bulk.
	Priority    extraction.Priority `json:"priority,omitempty"`
	CallbackURL string              `json:"callback_url,omitempty"`
	// Wait holds the answer until the extraction is final: a duration such as 30s, at most
	// 60s.
	Wait string `json:"wait,omitempty" doc:"hold the answer until the extraction is final, at most 60s"`
}

// Submission is the JSON form of a submission, with exactly one of the three members.
type Submission struct {
	Fields

	DocumentURL    string  `json:"document_url,omitempty"`
	DocumentBase64 *string `json:"document_base64,omitempty" doc:"streamed: its size is api.max_document's"`
	VendorID       string  `json:"vendor_id,omitempty" doc:"follow what something else submitted under this id"`
}

// List asks for one page of a list.
type List struct {
	extraction.Filter

	// Limit is the most that is returned; 0 means 50.
	Limit int `query:"limit" default:"50" minimum:"1" maximum:"1000"`
	// Cursor is the NextCursor of the previous page; empty for the first.
	Cursor string `query:"cursor" maxLength:"200"`
}

// Values returns the request as the query of a URL.
func (l List) Values() url.Values {
	q := l.Filter.Values()
	q.Set("limit", strconv.Itoa(l.Limit))
	if l.Cursor != "" {
		q.Set("cursor", l.Cursor)
	}
	return q
}

// Page is one page of a list of extractions, without their results.
type Page struct {
	Extractions []extraction.Extraction `json:"extractions"`
	// NextCursor is null on the last page.
	NextCursor *string `json:"next_cursor"`
}

// Bulk names the extractions of a bulk operation.
type Bulk struct {
	IDs    []string           `json:"ids,omitempty" maxItems:"10000" nullable:"true" doc:"either these or a filter"`
	Filter *extraction.Filter `json:"filter,omitempty" doc:"at least one member"`
	// DryRun counts without changing anything.
	DryRun bool `json:"dry_run,omitempty"`
	// Resubmit is for retry only.
	Resubmit bool `json:"resubmit,omitempty" doc:"retry only: submit again without asking the vendor first"`
}

// BulkResult counts what a bulk operation did.
type BulkResult struct {
	Matched int `json:"matched"`
	Done    int `json:"done" doc:"with dry_run: would be"`
	Skipped int `json:"skipped"`
}

// Batch is the progress of a batch.
type Batch struct {
	Batch   string                      `json:"batch"`
	Total   int64                       `json:"total"`
	Counts  map[extraction.Status]int64 `json:"counts" doc:"by status, without those at zero"`
	Percent float64                     `json:"percent" doc:"how much of it is final"`
	// EstimatedFinishAt is null if the batch is final, or if it is unknown.
	EstimatedFinishAt extraction.Time `json:"estimated_finish_at"`
}

// BatchPage is one page of the list of batches.
type BatchPage struct {
	Batches    []Batch `json:"batches"`
	NextCursor *string `json:"next_cursor"`
}

// Accounts are all accounts that a key may use.
type Accounts struct {
	Accounts []extraction.AccountState `json:"accounts"`
}

// Ack acknowledges extractions on the ready list.
type Ack struct {
	IDs []string `json:"ids" minItems:"1" maxItems:"1000" nullable:"true"`
}

// Acked is the answer to Ack.
type Acked struct {
	Acknowledged int64 `json:"acknowledged" doc:"those that were still listed"`
}
