package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/store"
)

// Problem is an error answer that a handler can return.
type Problem struct {
	protocol.Problem

	retryAfter time.Duration
}

// The codes of a Problem.
const (
	codeInvalid           = protocol.CodeInvalid
	codeUnauthorized      = protocol.CodeUnauthorized
	codeForbidden         = protocol.CodeForbidden
	codeNotFound          = protocol.CodeNotFound
	codeNotFinished       = protocol.CodeNotFinished
	codeConflict          = protocol.CodeConflict
	codeMethod            = protocol.CodeMethod
	codeTooLarge          = protocol.CodeTooLarge
	codeBodyTooLarge      = protocol.CodeBodyTooLarge
	codeHookTooLarge      = protocol.CodeHookTooLarge
	codeTooSlow           = protocol.CodeTooSlow
	codeUnsupported       = protocol.CodeUnsupported
	codeMismatch          = protocol.CodeMismatch
	codeKeyReused         = protocol.CodeKeyReused
	codeReceiving         = protocol.CodeReceiving
	codeBacklog           = protocol.CodeBacklog
	codeUnavailable       = protocol.CodeUnavailable
	codeInternal          = protocol.CodeInternal
	codeURLRefused        = protocol.CodeURLRefused
	codeUnknownAccount    = protocol.CodeUnknownAccount
	codeFinal             = protocol.CodeFinal
	codeDocumentGone      = protocol.CodeDocumentGone
	codeResultUnavailable = protocol.CodeResultUnavailable
	codeCursor            = protocol.CodeCursor
)

func problem(status int, code protocol.ProblemCode, detail string) *Problem {
	return &Problem{Problem: protocol.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail,
	}}
}

// Error implements error for handlers.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", seconds(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

// after sets when the same request may succeed.
func (p *Problem) after(d time.Duration) *Problem {
	p.retryAfter = d
	return p
}

// seconds is a duration in whole seconds, at least one.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// newProblem converts huma's own errors, without repeating what was sent.
func newProblem(status int, detail string, errs ...error) huma.StatusError {
	switch {
	case errors.Is(errors.Join(errs...), errBody):
		return brokenBody
	case status == http.StatusRequestTimeout:
		return slowBody
	case status == http.StatusUnsupportedMediaType:
		return problem(status, codeUnsupported, "the body is JSON, with Content-Type: application/json")
	case status == http.StatusRequestEntityTooLarge:
		return problem(status, codeBodyTooLarge, detail)
	case status >= 500:
		return problem(status, codeInternal, "extractq failed; the log says why")
	}
	p := problem(status, codeInvalid, detail)
	for _, err := range errs {
		d, ok := errors.AsType[*huma.ErrorDetail](err)
		if !ok {
			continue // It may repeat what was sent.
		}
		if len(p.Errors) == maxFaults {
			p.Errors = append(p.Errors, protocol.Fault{Location: "", Message: "and more"})
			break
		}
		p.Errors = append(p.Errors, fault(status, d))
	}
	if len(p.Errors) > 0 {
		var all []string
		for _, f := range p.Errors {
			all = append(all, strings.TrimPrefix(f.Location+": "+f.Message, ": "))
		}
		p.Detail = strings.Join(all, "; ")
	}
	return p
}

// maxFaults is the most faults that an answer lists.
const maxFaults = 20

// fault converts one of huma's errors without what was sent: member names that are not ours
// come from the sender, and a decoder quotes the text.
func fault(status int, d *huma.ErrorDetail) protocol.Fault {
	f := protocol.Fault{Location: d.Location, Message: d.Message}
	switch {
	case status == http.StatusBadRequest && d.Location == "body":
		f.Message = "it is not JSON"
	case d.Message == "unknown query parameter":
		f.Location = "query"
	case d.Message == validation.MsgUnexpectedProperty && strings.HasPrefix(d.Location, "body.filter."):
		f.Location = "body.filter"
	case d.Message == validation.MsgUnexpectedProperty:
		f.Location = "body"
	}
	return f
}

// brokenBody and slowBody are for bodies that do not arrive completely.
var (
	brokenBody = problem(http.StatusBadRequest, codeInvalid, "the request's body broke off")
	slowBody   = problem(http.StatusRequestTimeout, codeTooSlow, "the request's body came too slowly")
)

// writeProblem answers with a problem outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	for name, values := range p.GetHeaders() { // A challenge may be set already.
		w.Header()[name] = append(w.Header()[name], values...)
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // It fails if the client has gone.
}

// explain converts an error of the client, the records or the store into the problem that
// the caller gets.
func (s *Server) explain(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	for _, known := range []struct {
		err    error
		status int
		code   protocol.ProblemCode
		detail string
	}{
		{store.ErrNotFound, http.StatusNotFound, codeNotFound, "there is no such extraction"},
		{store.ErrTooLarge, http.StatusRequestEntityTooLarge, codeTooLarge, "the document is larger than api.max_document"},
		{store.ErrFinal, http.StatusConflict, codeFinal, "the extraction is final"},
		{store.ErrFollowed, http.StatusConflict, codeConflict, "another extraction follows this vendor_id"},
		{intake.ErrKeyReused, http.StatusUnprocessableEntity, codeKeyReused, "the Idempotency-Key was used for another document or other fields"},
		{intake.ErrNotFinal, http.StatusConflict, codeConflict, "the extraction has not ended yet"},
		{intake.ErrSucceeded, http.StatusConflict, codeConflict, "the extraction succeeded and its result is readable; there is nothing to repeat"},
		{intake.ErrRetried, http.StatusConflict, codeConflict, "the extraction has been repeated already; see retried_by"},
		{intake.ErrDocumentGone, http.StatusConflict, codeDocumentGone, "the document is not kept any more"},
		{intake.ErrNoCallback, http.StatusConflict, codeConflict, "the extraction has no callback"},
	} {
		if errors.Is(err, known.err) {
			return problem(known.status, known.code, known.detail)
		}
	}
	for _, known := range []struct {
		err    error
		status int
		code   protocol.ProblemCode
	}{
		{intake.ErrUnknownAccount, http.StatusUnprocessableEntity, codeUnknownAccount},
		{intake.ErrURLRefused, http.StatusUnprocessableEntity, codeURLRefused},
		{intake.ErrMismatch, http.StatusUnprocessableEntity, codeMismatch},
		{intake.ErrMediaType, http.StatusUnsupportedMediaType, codeUnsupported},
	} {
		if errors.Is(err, known.err) {
			return problem(known.status, known.code, plain(err))
		}
	}
	switch {
	case errors.Is(err, intake.ErrReceiving):
		return problem(http.StatusConflict, codeReceiving, "a request with this Idempotency-Key is being received").after(time.Second)
	case errors.Is(err, store.ErrBacklog):
		return problem(http.StatusTooManyRequests, codeBacklog, "the account has max_backlog unfinished extractions").after(10 * time.Second)
	case errors.Is(err, extraction.ErrInvalid):
		return problem(http.StatusUnprocessableEntity, codeInvalid, plain(err))
	case errors.Is(err, errBody) && errors.Is(err, os.ErrDeadlineExceeded):
		return slowBody
	case errors.Is(err, errBody):
		return brokenBody
	}
	if !ofTheStore(err) || s.saysAgain() {
		s.cfg.Logger.Error("request failed", slog.Any("error", err))
	}
	if errors.Is(err, intake.ErrOtherProvider) {
		return problem(http.StatusServiceUnavailable, codeUnavailable, "the workers have this account with another provider; try again").after(5 * time.Second)
	}
	if errors.Is(err, store.ErrNotReplicated) {
		return problem(http.StatusServiceUnavailable, codeUnavailable,
			"too few replicas of Redis have the extraction, which goes on nevertheless; repeat the request with the same Idempotency-Key").after(5 * time.Second)
	}
	return problem(http.StatusServiceUnavailable, codeUnavailable, "Redis or the document store cannot be used; try again").after(5 * time.Second)
}

// storeSaidEvery is the interval of log lines about a document store that fails every
// request, or a Redis that does not belong to it.
const storeSaidEvery = time.Minute

// ofTheStore reports whether all requests fail as this one did.
func ofTheStore(err error) bool {
	for _, e := range []error{
		store.ErrStoreGone, store.ErrOtherStore, store.ErrRedisLost, store.ErrNotReplicated, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// saysAgain reports whether such an error may be logged again.
func (s *Server) saysAgain() bool {
	now, last := time.Now().UnixNano(), s.storeSaid.Load()
	return now-last >= int64(storeSaidEvery) && s.storeSaid.CompareAndSwap(last, now)
}

// errBody marks an error of reading the request, as opposed to writing the document.
var errBody = errors.New("request body")

// quoted is a value that an error repeats. The text around it is a sentence without it.
var quoted = regexp.MustCompile(` ?"(?:[^"\\]|\\.)*"`)

// maxDetail bounds the text of an answer about many faults, in bytes.
const maxDetail = 2 << 10

// plain is the text of an error without the prefix that marks it as the caller's, and
// without what the caller sent.
func plain(err error) string {
	text := strings.ReplaceAll(err.Error(), extraction.ErrInvalid.Error()+": ", "")
	// Several faults of one kind become one sentence without the values.
	faults := strings.Split(quoted.ReplaceAllString(text, ""), "\n")
	text = strings.Join(slices.Compact(faults), "; ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "… and more"
	}
	return text
}
