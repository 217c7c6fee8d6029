package protocol

// Problem is the body of every error answer (RFC 9457).
type Problem struct {
	Type   string `json:"type" doc:"always about:blank"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Code is stable; Detail is for people and may change.
	Code   ProblemCode `json:"code" doc:"what went wrong, in one stable word"`
	Detail string      `json:"detail" doc:"what went wrong and what to do, for people"`
	// Errors are the individual faults of a request that has several.
	Errors []Fault `json:"errors,omitempty"`
	// Extraction is the extraction that is in the way, if there is one.
	Extraction string `json:"extraction,omitempty" doc:"the extraction that is in the way: the one that follows the vendor_id already"`
}

// Fault is one of several faults in a request.
type Fault struct {
	Location string `json:"location" doc:"where, as query.limit or body.ids"`
	Message  string `json:"message"`
}

// ProblemCode is the stable code of a Problem.
type ProblemCode string

// The codes of a Problem.
const (
	CodeInvalid           ProblemCode = "invalid_request"
	CodeUnauthorized      ProblemCode = "unauthorized"
	CodeForbidden         ProblemCode = "forbidden"
	CodeNotFound          ProblemCode = "not_found"
	CodeNotFinished       ProblemCode = "not_finished"
	CodeConflict          ProblemCode = "conflict"
	CodeMethod            ProblemCode = "method_not_allowed"
	CodeTooLarge          ProblemCode = "document_too_large"
	CodeBodyTooLarge      ProblemCode = "request_too_large"
	CodeHookTooLarge      ProblemCode = "webhook_too_large"
	CodeTooSlow           ProblemCode = "request_timeout"
	CodeUnsupported       ProblemCode = "unsupported_document"
	CodeMismatch          ProblemCode = "content_mismatch"
	CodeKeyReused         ProblemCode = "idempotency_key_reused"
	CodeReceiving         ProblemCode = "idempotency_key_in_use"
	CodeBacklog           ProblemCode = "backlog_full"
	CodeUnavailable       ProblemCode = "unavailable"
	CodeInternal          ProblemCode = "internal"
	CodeURLRefused        ProblemCode = "url_refused"
	CodeUnknownAccount    ProblemCode = "unknown_account"
	CodeFinal             ProblemCode = "already_final"
	CodeDocumentGone      ProblemCode = "document_gone"
	CodeResultUnavailable ProblemCode = "result_unavailable"
	CodeCursor            ProblemCode = "bad_cursor"
)

// ProblemCodes returns all codes.
func ProblemCodes() []ProblemCode {
	return []ProblemCode{
		CodeInvalid, CodeUnauthorized, CodeForbidden, CodeNotFound, CodeNotFinished, CodeConflict, CodeMethod,
		CodeTooLarge, CodeBodyTooLarge, CodeHookTooLarge, CodeTooSlow, CodeUnsupported, CodeMismatch, CodeKeyReused,
		CodeReceiving, CodeBacklog, CodeUnavailable, CodeInternal, CodeURLRefused, CodeUnknownAccount, CodeFinal,
		CodeDocumentGone, CodeResultUnavailable, CodeCursor,
	}
}
