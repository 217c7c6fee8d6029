package extraction

// Status is the state of an extraction. It moves through QUEUED, SUBMITTING and IN_PROGRESS
// to a final status, which never changes.
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

// Statuses returns all statuses in the order in which they are passed.
func Statuses() []Status {
	return []Status{
		StatusQueued, StatusSubmitting, StatusInProgress, StatusSuccess, StatusError, StatusExpired, StatusCanceled,
	}
}

// Final reports whether the status can no longer change. A status that this version does
// not know is not final: callers go on waiting.
func (s Status) Final() bool {
	switch s {
	case StatusSuccess, StatusError, StatusExpired, StatusCanceled:
		return true
	case StatusQueued, StatusSubmitting, StatusInProgress:
		return false
	}
	return false
}

// Code is the stable code of a Failure or Trouble: why an extraction ended with a status
// other than SUCCESS, or what delays it.
type Code string

// The codes.
const (
	// CodeVendorRejected: the vendor answered this document with a 4xx.
	CodeVendorRejected Code = "vendor_rejected"
	// CodeVendorFailed: the vendor tried and could not extract.
	CodeVendorFailed Code = "vendor_failed"
	// CodeVendorQuota: the plan is used up. It is final only in run.
	CodeVendorQuota Code = "vendor_quota"
	// CodeResultUnavailable: the stored result of a SUCCESS is damaged or gone.
	CodeResultUnavailable Code = "result_unavailable"
	// CodeRateLimited: the vendor answered 429. It is never final.
	CodeRateLimited Code = "rate_limited"
	// CodeStoreUnavailable: the document store fails, or does not match what Redis holds.
	// It is never final.
	CodeStoreUnavailable Code = "store_unavailable"
	// CodeNoWorker: extractions wait and no worker serves the account. It is a code of
	// accounts only, and never final.
	CodeNoWorker Code = "no_worker"
	// CodeUnauthorized: the key is refused. It is final only in run.
	CodeUnauthorized Code = "unauthorized"
	// CodeUnsupportedDocument: the vendor does not accept this kind of document.
	CodeUnsupportedDocument Code = "unsupported_document"
	// CodeDocumentTooLarge: the document exceeds the vendor's size limit.
	CodeDocumentTooLarge Code = "document_too_large"
	// CodeDocumentUnavailable: the document, or its URL, cannot be read.
	CodeDocumentUnavailable Code = "document_unavailable"
	// CodeDeadlineExceeded: the vendor was not finished by the deadline.
	CodeDeadlineExceeded Code = "deadline_exceeded"
	// CodeSubmitUncertain: it is unknown whether the vendor received the submission; see
	// on_uncertain.
	CodeSubmitUncertain Code = "submit_uncertain"
	// CodeExpired: the vendor dropped the result before it was fetched.
	CodeExpired Code = "expired"
	// CodeCanceled: the producer canceled the extraction.
	CodeCanceled Code = "canceled"
	// CodeResultTooLarge: the result is larger than the account allows; see max_result.
	CodeResultTooLarge Code = "result_too_large"
	// CodeInternal: extractq itself failed.
	CodeInternal Code = "internal"
)

// Codes returns all codes.
func Codes() []Code {
	return []Code{
		CodeVendorRejected, CodeVendorFailed, CodeVendorQuota, CodeUnauthorized, CodeRateLimited, CodeStoreUnavailable,
		CodeUnsupportedDocument, CodeDocumentTooLarge, CodeDocumentUnavailable,
		CodeDeadlineExceeded, CodeSubmitUncertain, CodeExpired, CodeCanceled,
		CodeResultUnavailable, CodeResultTooLarge, CodeInternal, CodeNoWorker,
	}
}

// Retryable reports whether the same document may well succeed if it is submitted again
// unchanged.
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
