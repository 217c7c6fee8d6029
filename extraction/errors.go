package extraction

import (
	"errors"
	"fmt"
	"time"
)

// Failure says why an extraction ended with a status other than SUCCESS.
type Failure struct {
	Code      Code           `json:"code"`
	Message   string         `json:"message"`
	Retryable bool           `json:"retryable"`
	Details   map[string]any `json:"details"`
}

// NewFailure returns a failure that is retryable if its code is. vendor is what the vendor
// said, redacted and bounded by the provider; nil if it said nothing.
func NewFailure(code Code, message string, vendor any) *Failure {
	details := map[string]any{}
	if vendor != nil {
		details["vendor"] = vendor
	}
	return &Failure{Code: code, Message: message, Retryable: code.Retryable(), Details: details}
}

// Kind classifies the errors of vendor calls. It alone decides what happens next: the
// provider classifies, because only it knows the vendor, and the worker acts.
type Kind string

// The kinds of an Error.
const (
	// KindRejected: the vendor refuses this document. It ends the extraction.
	KindRejected Kind = "rejected"
	// KindUnauthorized: the key is refused. It pauses the account.
	KindUnauthorized Kind = "unauthorized"
	// KindForbidden: the key is valid but may not make this call, a list or a probe. Other
	// calls do not depend on it.
	KindForbidden Kind = "forbidden"
	// KindRateLimited: a 429. It blocks the account until Retry-After, or for a minute if
	// the vendor did not give one.
	KindRateLimited Kind = "rate_limited"
	// KindQuota: the plan is used up. It pauses submissions.
	KindQuota Kind = "quota"
	// KindNotFound: a 404 on a poll. The result is not there yet, or no longer.
	KindNotFound Kind = "not_found"
	// KindTransient: a 5xx, a timeout, a reset, or an unintelligible answer.
	KindTransient Kind = "transient"
	// KindTooLarge: the answer to a poll is larger than the account allows. It ends the
	// extraction.
	KindTooLarge Kind = "too_large"
	// KindUploadGone: the upload URL has expired. The submission starts over.
	KindUploadGone Kind = "upload_gone"
)

// Error is the failure of one vendor call. Its text never contains a secret or content of a
// document.
type Error struct {
	// Op is the call: submit, upload, poll, ready or probe.
	Op string
	// Kind decides what happens next.
	Kind Kind
	// Code is the failure's code if Kind is KindRejected; empty means CodeVendorRejected.
	Code Code
	// Status is the HTTP status of the answer; 0 if there was none.
	Status int
	// RetryAfter is how long the vendor asked to wait; 0 if it did not say.
	RetryAfter time.Duration
	// Sent reports that the vendor may have acted on the request, although its answer was
	// lost or unintelligible. It matters for submissions only: if it is false, submitting
	// again costs nothing.
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

// KindOf is the kind of the first Error in err's chain, and KindTransient for any other
// error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindTransient
}

// ErrInvalid is wrapped by the errors of a Provider's Check: the vendor could never accept
// the submission.
var ErrInvalid = errors.New("invalid submission")
