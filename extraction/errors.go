package extraction

import (
	"errors"
	"fmt"
	"time"
)

// Failure says why an extraction ended with another status than SUCCESS.
type Failure struct {
	Code      Code           `json:"code"`
	Message   string         `json:"message"`
	Retryable bool           `json:"retryable"`
	Details   map[string]any `json:"details"`
}

// NewFailure returns a failure with the code's own retryability. vendor is what
// the vendor said, redacted and bounded by the provider; nil where it said
// nothing.
func NewFailure(code Code, message string, vendor any) *Failure {
	details := map[string]any{}
	if vendor != nil {
		details["vendor"] = vendor
	}
	return &Failure{Code: code, Message: message, Retryable: code.Retryable(), Details: details}
}

// Kind is a class of vendor trouble, and the only thing about an error that
// decides what happens next. The provider classifies, because only it knows the
// vendor; the worker acts.
type Kind string

// The kinds of Error.
const (
	// KindRejected is an answer about this document: it ends the extraction.
	KindRejected Kind = "rejected"
	// KindUnauthorized is a refused key: it pauses the account.
	KindUnauthorized Kind = "unauthorized"
	// KindForbidden is a key that is taken but may not make this call, where others do
	// not depend on it: a list or a probe.
	KindForbidden Kind = "forbidden"
	// KindRateLimited is a 429: it blocks the account until Retry-After, or for a minute
	// where the vendor did not say when to come back.
	KindRateLimited Kind = "rate_limited"
	// KindQuota is a used-up plan: submits pause.
	KindQuota Kind = "quota"
	// KindNotFound is a 404 on a poll: not yet, or no longer.
	KindNotFound Kind = "not_found"
	// KindTransient is a 5xx, a timeout, a reset or an answer that makes no sense.
	KindTransient Kind = "transient"
	// KindTooLarge is an answer to a poll that is larger than the account takes: it ends
	// the extraction.
	KindTooLarge Kind = "too_large"
	// KindUploadGone is an upload URL that no longer works: start over.
	KindUploadGone Kind = "upload_gone"
)

// Error is trouble with one vendor call. Its text never holds a secret or a
// document's content.
type Error struct {
	// Op is the call: submit, upload, poll, ready, probe.
	Op string
	// Kind decides what happens next.
	Kind Kind
	// Code is the failure's code where Kind is KindRejected; empty means
	// CodeVendorRejected.
	Code Code
	// Status is the HTTP status of the answer, 0 where there was none.
	Status int
	// RetryAfter is how long the vendor asked to wait, 0 where it did not say.
	RetryAfter time.Duration
	// Sent reports that the vendor may have acted on the request although its
	// answer was lost or made no sense. It matters for submissions only: false
	// means that submitting again costs nothing.
	Sent bool
	// Vendor is what the vendor said: a string or a JSON value, redacted, at
	// most 16 KiB.
	Vendor any
	// Err is the cause.
	Err error
}

// Error gives "poll: transient: 502 Bad Gateway".
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %v", e.Op, e.Kind, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the first Error in err's chain. Anything else that went
// wrong in a vendor call is transient.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindTransient
}

// ErrInvalid is wrapped by a Provider's Check for a submission that the vendor
// could never take.
var ErrInvalid = errors.New("invalid submission")
