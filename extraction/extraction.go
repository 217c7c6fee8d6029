// Package extraction is the domain of extractq: what an extraction is, which
// statuses it has, what a result looks like, and what an adapter for a vendor's
// API must be able to do.
//
// It uses the standard library only and does no I/O. Its JSON forms are the
// ones users see, in files, on the command line and over HTTP; a member that is
// added later must be optional, and none may change its meaning.
package extraction

import (
	"encoding/json"
	"time"
)

// Extraction is one document submitted once to one account: the unit of work
// and of record.
type Extraction struct {
	// ID is a ULID that extractq chose when it accepted the document.
	ID string `json:"id"`
	// Account is the named set of credentials the document is submitted with.
	Account string `json:"account"`
	// Provider is the adapter of that account, "sensible" for one.
	Provider string `json:"provider"`
	// Type is the vendor's document type; null for a portfolio.
	Type Null `json:"type"`
	// Types are the document types a portfolio may contain; null otherwise.
	Types []string `json:"types" nullable:"true"`
	// ConfigName forces one configuration of the type, where the vendor can.
	ConfigName Null `json:"config_name"`
	// Environment selects the vendor's environment, "development" for one.
	Environment Null `json:"environment"`
	// Customer is the tenant label; some vendors bill and list by it.
	Customer Null `json:"customer"`
	// Batch groups extractions.
	Batch Null `json:"batch"`
	// Priority is normal or bulk.
	Priority Priority `json:"priority"`
	// Metadata are the producer's own labels. They never leave the store.
	Metadata map[string]string `json:"metadata"`
	// Options are passed to the vendor, by the names the provider documents.
	Options map[string]any `json:"options"`
	// Document describes the document; its bytes are in the document store.
	Document Document `json:"document"`
	// Status is where the extraction stands.
	Status Status `json:"status"`
	// Vendor is what the vendor calls the extraction and its state.
	Vendor Vendor `json:"vendor"`
	// Polls counts the calls that asked the vendor for this extraction.
	Polls int `json:"polls"`
	// Attempts counts the submissions that were begun.
	Attempts int `json:"attempts"`
	// Next is the step that is due; null once the status is final and nothing
	// is left to deliver.
	Next *Next `json:"next"`
	// LastError is the latest trouble that was not final.
	LastError *Trouble `json:"last_error"`
	// CreatedAt is when extractq accepted the document.
	CreatedAt Time `json:"created_at" nullable:"false"`
	// SubmittedAt is when the vendor had the document.
	SubmittedAt Time `json:"submitted_at"`
	// FinishedAt is when the final status was written.
	FinishedAt Time `json:"finished_at"`
	// ExpiresAt is when the record, the document and the result are erased.
	ExpiresAt Time `json:"expires_at"`
	// RetryOf and RetriedBy link an extraction with its repetition.
	RetryOf   Null `json:"retry_of"`
	RetriedBy Null `json:"retried_by"`
	// Callback is the delivery to the producer; null where none was asked for.
	Callback *Callback `json:"callback"`
	// Error says why a final status is not SUCCESS.
	Error *Failure `json:"error"`
	// Result is what the vendor found. It is empty until SUCCESS, and nil (left
	// out) in lists.
	Result *Result `json:"result,omitempty"`
}

// Document describes the bytes to extract from.
type Document struct {
	// Name is the producer's name for the document, without a folder.
	Name string `json:"name"`
	// ContentType is the media type, "application/pdf" for one.
	ContentType string `json:"content_type"`
	// Bytes is the size; null where only the vendor reads the document.
	Bytes *int64 `json:"bytes"`
	// SHA256 is the digest in lower-case hex; null where Bytes is.
	SHA256 Null `json:"sha256"`
	// URL is where the document is fetched from; null when it was uploaded.
	URL Null `json:"url"`
}

// Vendor is the vendor's own name and state of an extraction.
type Vendor struct {
	ID     Null `json:"id"`
	Status Null `json:"status"`
}

// Step is one of the things an extraction can wait for.
type Step string

// The steps of an extraction.
const (
	StepSubmit  Step = "submit"
	StepPoll    Step = "poll"
	StepDeliver Step = "deliver"
)

// Steps are all of them.
func Steps() []Step { return []Step{StepSubmit, StepPoll, StepDeliver} }

// Settled reports whether an extraction has ended and its result is not being fetched
// from the vendor once more.
func (e Extraction) Settled() bool {
	return e.Status.Final() && (e.Next == nil || e.Next.Step != StepPoll)
}

// Next is the step that is due next, when, and why not earlier.
type Next struct {
	Step    Step    `json:"step"`
	At      Time    `json:"at"`
	Because Because `json:"because"`
}

// Because is the reason a step waits.
type Because string

// The reasons of Next.
const (
	BecauseScheduled     Because = "scheduled"
	BecauseRate          Because = "rate"
	BecauseInFlight      Because = "in_flight"
	BecauseAccountPaused Because = "account_paused"
	BecauseRetry         Because = "retry"
	// BecauseStore: the document store fails, or Redis has lost its data.
	BecauseStore Because = "store"
)

// Reasons are all of them.
func Reasons() []Because {
	return []Because{BecauseScheduled, BecauseRate, BecauseInFlight, BecauseAccountPaused, BecauseRetry, BecauseStore}
}

// Trouble is something that went wrong and was not final.
type Trouble struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	At      Time   `json:"at" nullable:"false"`
	// OverAt is since when it is over. It is left out while it lasts.
	OverAt Time `json:"over_at,omitzero" nullable:"false"`
}

// Callback is the state of the delivery to the producer.
type Callback struct {
	URL        string        `json:"url"`
	State      CallbackState `json:"state"`
	Attempts   int           `json:"attempts"`
	LastStatus *int          `json:"last_status"`
	// LastError says why the latest attempt did not deliver.
	LastError Null `json:"last_error"`
	NextAt    Time `json:"next_at"`
}

// CallbackState is how far the delivery to the producer is.
type CallbackState string

// The states of a Callback.
const (
	CallbackPending   CallbackState = "pending"
	CallbackDelivered CallbackState = "delivered"
	CallbackFailed    CallbackState = "failed"
)

// CallbackStates are all of them.
func CallbackStates() []CallbackState {
	return []CallbackState{CallbackPending, CallbackDelivered, CallbackFailed}
}

// Priority orders the submissions of one account.
type Priority string

// The priorities. Bulk goes only when no normal one waits.
const (
	PriorityNormal Priority = "normal"
	PriorityBulk   Priority = "bulk"
)

// Priorities are all of them.
func Priorities() []Priority { return []Priority{PriorityNormal, PriorityBulk} }

// Null is a string whose empty value is null in JSON.
type Null string

// MarshalJSON gives null for the empty string.
func (n Null) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(n))
}

// UnmarshalJSON accepts a string or null.
func (n *Null) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*n = ""
	if s != nil {
		*n = Null(*s)
	}
	return nil
}

// Time is an instant in UTC whose zero value is null in JSON. It is written
// with milliseconds, the resolution of the stored records.
type Time struct{ time.Time }

// timeLayout is RFC 3339 in UTC with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON gives null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.UTC().Format(timeLayout) + `"`), nil
}

// UnmarshalJSON accepts an RFC 3339 time or null.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	var v time.Time
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	t.Time = v.UTC()
	return nil
}

// Millis is the time as milliseconds since 1970, 0 for the zero time.
func (t Time) Millis() int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the reverse of Millis.
func FromMillis(ms int64) Time {
	if ms == 0 {
		return Time{}
	}
	return Time{time.UnixMilli(ms).UTC()}
}
