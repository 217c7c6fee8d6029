package protocol

// Problem is the body of every answer that is an error (RFC 9457).
type Problem struct {
	Type   string `json:"type" doc:"always about:blank"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Code is stable; Detail is for people and may change.
	Code   string `json:"code" doc:"what went wrong, in one stable word"`
	Detail string `json:"detail" doc:"what went wrong and what to do, for people"`
	// Errors are the single faults of a request that has several.
	Errors []Fault `json:"errors,omitempty"`
	// Extraction is the one that is in the way, where there is one.
	Extraction string `json:"extraction,omitempty" doc:"the extraction that is in the way: the one that follows the vendor_id already"`
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	Location string `json:"location" doc:"where, as query.limit or body.ids"`
	Message  string `json:"message"`
}

// The codes of a Problem.
const (
	CodeInvalid           = "invalid_request"
	CodeUnauthorized      = "unauthorized"
	CodeForbidden         = "forbidden"
	CodeNotFound          = "not_found"
	CodeNotFinished       = "not_finished"
	CodeConflict          = "conflict"
	CodeMethod            = "method_not_allowed"
	CodeTooLarge          = "document_too_large"
	CodeBodyTooLarge      = "request_too_large"
	CodeHookTooLarge      = "webhook_too_large"
	CodeTooSlow           = "request_timeout"
	CodeUnsupported       = "unsupported_document"
	CodeMismatch          = "content_mismatch"
	CodeKeyReused         = "idempotency_key_reused"
	CodeReceiving         = "idempotency_key_in_use"
	CodeBacklog           = "backlog_full"
	CodeUnavailable       = "unavailable"
	CodeInternal          = "internal"
	CodeURLRefused        = "url_refused"
	CodeUnknownAccount    = "unknown_account"
	CodeFinal             = "already_final"
	CodeDocumentGone      = "document_gone"
	CodeResultUnavailable = "result_unavailable"
	CodeCursor            = "bad_cursor"
)
