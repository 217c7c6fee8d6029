package typless

import (
	"net/http"
	"path"
	"strings"

	"github.com/extractq/extractq/sandbox/internal/fault"
)

// Faults is what an injector of faults must know of Typless.
func Faults() fault.Dialect { return fault.Dialect{Name: "typless", Op: op, Refuse: refuse} }

func op(r *http.Request) fault.Op {
	if !strings.HasPrefix(r.URL.Path, Prefix+"/api/") {
		return ""
	}
	switch path.Base(r.URL.Path) {
	case "extract-data", "extract-data-async":
		return fault.Submit
	case "get-extraction-data":
		return fault.Poll
	case "awaiting-poll":
		return fault.List
	}
	return ""
}

func refuse(w http.ResponseWriter, _ *http.Request, status int) {
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
		fail(w, status, "too_many_requests", "Request was throttled.")
		return
	}
	fail(w, status, "internal_server_error", "Internal server error")
}
