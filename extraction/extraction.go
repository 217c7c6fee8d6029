// Package extraction is the domain of extractq: what an extraction is, its statuses, the
// shape of a result, and the interface that an adapter for a vendor's API implements.
//
// It uses the standard library only and does no I/O. Its JSON forms are those that users
// see in files, on the command line and over HTTP. New members must be optional, and none
// may change its meaning.
package extraction

import (
	"encoding/json"
	"time"
)

// Extraction is one document submitted once to one account: the unit of work and of record.
type Extraction struct {
	// ID is a ULID, assigned when the document is accepted.
	ID string `json:"id"`
	// Account is the set of credentials that the document is submitted with.
	Account string `json:"account"`
	// Provider is the adapter of that account, such as "sensible".
	Provider string `json:"provider"`
	// Type is the vendor's document type; null for a portfolio.
	Type Null `json:"type"`
	// Types are the document types a portfolio may contain; null otherwise.
	Types []string `json:"types" nullable:"true"`
	// ConfigName selects one configuration of the type, if the vendor has several.
	ConfigName Null `json:"config_name"`
	// Environment selects the vendor's environment, such as "development".
	Environment Null `json:"environment"`
	// Customer is the tenant label. Some vendors bill and list by it.
	Customer Null `json:"customer"`
	// Batch is a label that groups extractions.
	Batch Null `json:"batch"`
	// Priority is normal or bulk.
	Priority Priority `json:"priority"`
	// Metadata are the producer's own labels. They never leave extractq.
	Metadata map[string]string `json:"metadata"`
	// Options are passed to the vendor under the names that the provider documents.
	Options map[string]any `json:"options"`
	// Document describes the document; its bytes are in the document store.
	Document Document `json:"document"`
	// Status is the current status.
	Status Status `json:"status"`
	// Vendor is the vendor's id and status of the extraction.
	Vendor Vendor `json:"vendor"`
	// Polls counts the calls that asked the vendor about this extraction.
	Polls int `json:"polls"`
	// Attempts counts the submissions that were started.
	Attempts int `json:"attempts"`
	// Next is the next step; null once the extraction is final and nothing is left to
	// deliver.
	Next *Next `json:"next"`
	// LastError is the latest error that was not final.
	LastError *Trouble `json:"last_error"`
	// CreatedAt is when the document was accepted.
	CreatedAt Time `json:"created_at" nullable:"false"`
	// SubmittedAt is when the vendor had received the document.
	SubmittedAt Time `json:"submitted_at"`
	// FinishedAt is when the final status was written.
	FinishedAt Time `json:"finished_at"`
	// ExpiresAt is when the record, the document and the result are erased.
	ExpiresAt Time `json:"expires_at"`
	// RetryOf and RetriedBy link an extraction to its repetition.
	RetryOf   Null `json:"retry_of"`
	RetriedBy Null `json:"retried_by"`
	// Callback is the delivery to the producer; null if none was requested.
	Callback *Callback `json:"callback"`
	// Error says why a final status is not SUCCESS.
	Error *Failure `json:"error"`
	// Result is what the vendor found. It is empty until SUCCESS, and nil (left out) in
	// lists.
	Result *Result `json:"result,omitempty"`
}

// Document describes the document.
type Document struct {
	// Name is the producer's name for it, without a folder.
	Name string `json:"name"`
	// ContentType is the media type, such as "application/pdf".
	ContentType string `json:"content_type"`
	// Bytes is the size; null if only the vendor downloads the document.
	Bytes *int64 `json:"bytes"`
	// SHA256 is the digest in lower-case hex; null if Bytes is.
	SHA256 Null `json:"sha256"`
	// URL is where the document is downloaded from; null if it was uploaded.
	URL Null `json:"url"`
}

// Vendor is the vendor's own id and status of an extraction.
type Vendor struct {
	ID     Null `json:"id"`
	Status Null `json:"status"`
}

// Step is a step of an extraction.
type Step string

// The steps, in order.
const (
	StepSubmit  Step = "submit"
	StepPoll    Step = "poll"
	StepDeliver Step = "deliver"
)

// Steps returns all steps.
func Steps() []Step { return []Step{StepSubmit, StepPoll, StepDeliver} }

// Settled reports whether an extraction is final and its result is not being fetched from
// the vendor again.
func (e Extraction) Settled() bool {
	return e.Status.Final() && (e.Next == nil || e.Next.Step != StepPoll)
}

// Next is the next step, when it is due, and why not earlier.
type Next struct {
	Step    Step    `json:"step"`
	At      Time    `json:"at"`
	Because Because `json:"because"`
}

// Because is the reason why a step waits.
type Because string

// The values of Next.Because.
const (
	BecauseScheduled     Because = "scheduled"
	BecauseRate          Because = "rate"
	BecauseInFlight      Because = "in_flight"
	BecauseAccountPaused Because = "account_paused"
	BecauseRetry         Because = "retry"
	// BecauseStore: the document store fails, or Redis has lost its data.
	BecauseStore Because = "store"
)

// Reasons returns all values of Because.
func Reasons() []Because {
	return []Because{BecauseScheduled, BecauseRate, BecauseInFlight, BecauseAccountPaused, BecauseRetry, BecauseStore}
}

// Trouble is an error that was not final.
type Trouble struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	At      Time   `json:"at" nullable:"false"`
	// OverAt is when the error ended; it is left out while it lasts.
	OverAt Time `json:"over_at,omitzero" nullable:"false"`
}

// Callback is the state of the delivery to the producer.
type Callback struct {
	URL        string        `json:"url"`
	State      CallbackState `json:"state"`
	Attempts   int           `json:"attempts"`
	LastStatus *int          `json:"last_status"`
	// LastError says why the latest attempt failed.
	LastError Null `json:"last_error"`
	NextAt    Time `json:"next_at"`
}

// CallbackState is the state of the delivery to the producer.
type CallbackState string

// The states of a Callback.
const (
	CallbackPending   CallbackState = "pending"
	CallbackDelivered CallbackState = "delivered"
	CallbackFailed    CallbackState = "failed"
)

// CallbackStates returns all states.
func CallbackStates() []CallbackState {
	return []CallbackState{CallbackPending, CallbackDelivered, CallbackFailed}
}

// Priority orders the submissions of an account.
type Priority string

// The priorities. Bulk documents are submitted only when no normal ones are waiting.
const (
	PriorityNormal Priority = "normal"
	PriorityBulk   Priority = "bulk"
)

// Priorities returns all priorities.
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

// Time is an instant in UTC whose zero value is null in JSON. It is written with
// milliseconds, the resolution of the stored records.
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
