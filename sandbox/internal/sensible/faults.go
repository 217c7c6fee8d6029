package sensible

import (
	"net/http"
	"strings"

	"github.com/extractq/extractq/sandbox/internal/fault"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

// Faults is what an injector of faults must know of Sensible.
func Faults() fault.Dialect { return fault.Dialect{Name: "sensible", Op: op, Refuse: refuse} }

func op(r *http.Request) fault.Op {
	call, ok := strings.CutPrefix(r.URL.Path, "/sensible/v0/")
	call, _, _ = strings.Cut(call, "/")
	switch {
	case strings.HasPrefix(r.URL.Path, uploadPrefix):
		return fault.Upload
	case !ok:
		return ""
	case call == "generate_upload_url", call == "extract_from_url", call == "classify":
		return fault.Submit
	case call == "documents":
		return fault.Poll
	case call == "extractions":
		return fault.List
	}
	return ""
}

// refuse answers like Sensible, or like S3, which says 503 where others say 429.
func refuse(w http.ResponseWriter, r *http.Request, status int) {
	upload, tooMany := op(r) == fault.Upload, status == http.StatusTooManyRequests
	if upload {
		s3Headers(w)
	}
	switch {
	case upload && tooMany:
		s3Fail(w, http.StatusServiceUnavailable, s3Error{Code: "SlowDown", Message: "Please reduce your request rate."})
	case upload:
		s3Fail(w, http.StatusInternalServerError, s3Error{Code: "InternalError", Message: "We encountered an internal error. Please try again."})
	case tooMany:
		w.Header().Set("Retry-After", "1")
		httpkit.JSON(w, status, map[string]string{"error": "Rate limit exceeded"})
	default:
		httpkit.Text(w, status, "Sensible encountered an unknown error")
	}
}
