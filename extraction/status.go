package extraction

// Status is the state of an extraction. It moves QUEUED, SUBMITTING,
// IN_PROGRESS and then to one final status, which never changes again.
type Status string

// The seven statuses of an extraction.
const (
	StatusQueued     Status = "QUEUED"
	StatusSubmitting Status = "SUBMITTING"
	StatusInProgress Status = "IN_PROGRESS"
	StatusSuccess    Status = "SUCCESS"
	StatusError      Status = "ERROR"
	StatusExpired    Status = "EXPIRED"
	StatusCanceled   Status = "CANCELED"
)

// Statuses are all of them, in the order they are passed.
func Statuses() []Status {
	return []Status{
		StatusQueued, StatusSubmitting, StatusInProgress, StatusSuccess, StatusError, StatusExpired, StatusCanceled,
	}
}

// Final reports whether the status can no longer change. A status this
// version does not know is not final: callers go on waiting.
func (s Status) Final() bool {
	switch s {
	case StatusSuccess, StatusError, StatusExpired, StatusCanceled:
		return true
	case StatusQueued, StatusSubmitting, StatusInProgress:
		return false
	}
	return false
}

// Code is extractq's own, stable word for why an extraction ended otherwise
// than SUCCESS.
type Code string

// The codes of a Failure.
const (
	// CodeVendorRejected is a 4xx answer about this document.
	CodeVendorRejected Code = "vendor_rejected"
	// CodeVendorFailed is the vendor's own verdict: it tried and could not.
	CodeVendorFailed Code = "vendor_failed"
	// CodeVendorQuota is a used-up plan. It ends an extraction only in run.
	CodeVendorQuota Code = "vendor_quota"
	// CodeResultUnavailable: the stored result of a SUCCESS is damaged or gone.
	CodeResultUnavailable Code = "result_unavailable"
	// CodeRateLimited: the vendor answered 429. It is never final.
	CodeRateLimited Code = "rate_limited"
	// CodeStoreUnavailable: the document store fails, or does not belong to what Redis
	// holds. It is never final.
	CodeStoreUnavailable Code = "store_unavailable"
	// CodeNoWorker: no worker has the account, and something waits there. It is never
	// final, and of an account only.
	CodeNoWorker Code = "no_worker"
	// CodeUnauthorized is a refused key. It ends an extraction only in run.
	CodeUnauthorized Code = "unauthorized"
	// CodeUnsupportedDocument is a kind of document the vendor does not take.
	CodeUnsupportedDocument Code = "unsupported_document"
	// CodeDocumentTooLarge is a document above the vendor's size limit.
	CodeDocumentTooLarge Code = "document_too_large"
	// CodeDocumentUnavailable is a document, or its URL, that cannot be read.
	CodeDocumentUnavailable Code = "document_unavailable"
	// CodeDeadlineExceeded is a "not yet" of the vendor after the deadline.
	CodeDeadlineExceeded Code = "deadline_exceeded"
	// CodeSubmitUncertain is a submission that may or may not have arrived; see
	// on_uncertain.
	CodeSubmitUncertain Code = "submit_uncertain"
	// CodeExpired is a result the vendor dropped before it was fetched.
	CodeExpired Code = "expired"
	// CodeCanceled is a cancellation by the producer.
	CodeCanceled Code = "canceled"
	// CodeResultTooLarge is a result larger than the account takes; see max_result.
	CodeResultTooLarge Code = "result_too_large"
	// CodeInternal is a fault of extractq itself.
	CodeInternal Code = "internal"
)

// Codes are all of them.
func Codes() []Code {
	return []Code{
		CodeVendorRejected, CodeVendorFailed, CodeVendorQuota, CodeUnauthorized, CodeRateLimited, CodeStoreUnavailable,
		CodeUnsupportedDocument, CodeDocumentTooLarge, CodeDocumentUnavailable,
		CodeDeadlineExceeded, CodeSubmitUncertain, CodeExpired, CodeCanceled,
		CodeResultUnavailable, CodeResultTooLarge, CodeInternal, CodeNoWorker,
	}
}

// Retryable reports whether the same document may well succeed when it is
// submitted again without being changed.
func (c Code) Retryable() bool {
	switch c {
	case CodeVendorQuota, CodeUnauthorized, CodeDocumentUnavailable, CodeDeadlineExceeded,
		CodeSubmitUncertain, CodeExpired, CodeCanceled, CodeInternal, CodeVendorFailed, CodeRateLimited,
		CodeResultUnavailable, CodeStoreUnavailable, CodeNoWorker:
		return true
	case CodeVendorRejected, CodeUnsupportedDocument, CodeDocumentTooLarge, CodeResultTooLarge:
		return false
	}
	return false
}
