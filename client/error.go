package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/retryafter"
)

// The codes of an Error that come from the API.
const (
	CodeInvalid           = string(protocol.CodeInvalid)
	CodeUnauthorized      = string(protocol.CodeUnauthorized)
	CodeForbidden         = string(protocol.CodeForbidden)
	CodeNotFound          = string(protocol.CodeNotFound)
	CodeNotFinished       = string(protocol.CodeNotFinished)
	CodeConflict          = string(protocol.CodeConflict)
	CodeTooLarge          = string(protocol.CodeTooLarge)
	CodeBodyTooLarge      = string(protocol.CodeBodyTooLarge)
	CodeUnsupported       = string(protocol.CodeUnsupported)
	CodeMismatch          = string(protocol.CodeMismatch)
	CodeKeyReused         = string(protocol.CodeKeyReused)
	CodeReceiving         = string(protocol.CodeReceiving)
	CodeBacklog           = string(protocol.CodeBacklog)
	CodeUnavailable       = string(protocol.CodeUnavailable)
	CodeURLRefused        = string(protocol.CodeURLRefused)
	CodeUnknownAccount    = string(protocol.CodeUnknownAccount)
	CodeFinal             = string(protocol.CodeFinal)
	CodeDocumentGone      = string(protocol.CodeDocumentGone)
	CodeResultUnavailable = string(protocol.CodeResultUnavailable)
	CodeCursor            = string(protocol.CodeCursor)
)

// The codes of an Error that come from this package.
const (
	// CodeUnreachable: the server did not answer, or its answer broke off.
	CodeUnreachable = "unreachable"
	// CodeNotAPI: the answer is not from the API, but from a proxy or another server.
	CodeNotAPI = "not_extractq"
)

// Error is a call that the server refused, or did not answer.
type Error struct {
	// Status is the HTTP status of the answer; 0 if there was none.
	Status int
	// Code is stable: one of the constants, or one that only newer servers know.
	Code string
	// Detail tells a person what went wrong and what to do. The text may change.
	Detail string
	// Errors are the individual faults if the request has several.
	Errors []Fault
	// Extraction is the id of the extraction that is in the way, such as the one that
	// already follows a VendorID; empty if there is none.
	Extraction string
	// RetryAfter is how long the server asks to wait; 0 if it does not say.
	RetryAfter time.Duration
	// IdempotencyKey is the key of a submission that failed. If there was no answer, it is
	// unknown whether the document was accepted: submit it again with this key, and there
	// is one extraction either way.
	IdempotencyKey string
	// Err is the cause if there was no answer.
	Err error
}

// Error gives "404 not_found: there is no such extraction".
func (e *Error) Error() string {
	if e.Status == 0 {
		return e.Code + ": " + e.Detail
	}
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Detail)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// unreachable is the error for a call without an answer. The address is removed from the
// text of the cause: a query contains customers' names.
func unreachable(err error) *Error {
	cause := err
	if u, ok := errors.AsType[*url.Error](err); ok {
		cause = u.Err
	}
	return &Error{Code: CodeUnreachable, Detail: cause.Error(), Err: cause}
}

// notAPI is the error for an answer that is not the API's. The answer's text is not
// repeated: it may be a whole page, and of any origin.
func notAPI(res *http.Response, why string) *Error {
	return &Error{Status: res.StatusCode, Code: CodeNotAPI, Detail: why}
}

// maxProblem is how many bytes of a problem are read.
const maxProblem = 1 << 20

// refused is the error for an answer other than a success.
func refused(res *http.Response, now func() time.Time) *Error {
	e := &Error{Status: res.StatusCode, Code: CodeNotAPI}
	e.RetryAfter, _ = retryafter.Read(res.Header, now)
	if res.StatusCode/100 == 3 {
		e.Detail = "the server redirects"
		if u, err := res.Location(); err == nil {
			e.Detail += " to " + u.Scheme + "://" + u.Host + "; use its address"
		}
		return e
	}
	media := mediaType(res)
	if media != "application/problem+json" {
		e.Detail = fmt.Sprintf("the answer is not of extractq's API, but %s; is the server's URL right?", media)
		return e
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	var p protocol.Problem
	if err == nil {
		err = json.Unmarshal(body, &p)
	}
	if err != nil || p.Code == "" {
		e.Detail = "the answer is a problem that cannot be read"
		return e
	}
	e.Code, e.Detail, e.Errors, e.Extraction = string(p.Code), p.Detail, p.Errors, p.Extraction
	return e
}

// mediaType is the media type of an answer.
func mediaType(res *http.Response) string {
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || media == "" {
		return "of no media type"
	}
	return strings.ToLower(media)
}
